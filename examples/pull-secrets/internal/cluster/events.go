package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Events writes events about our secrets, one after the other. Who writes seldom needs none of what client-go's recorder adds, nor the right to patch.
type Events struct {
	cluster   *Cluster
	component string
	instance  string
	queue     chan *corev1.Event
	log       *slog.Logger
}

const (
	eventTimeout = 10 * time.Second
	eventsQueued = 1000
)

// Events returns what writes events in the name of component, which has several instances.
func (c *Cluster) Events(component, instance string, log *slog.Logger) *Events {
	return &Events{cluster: c, component: component, instance: instance, queue: make(chan *corev1.Event, eventsQueued), log: log}
}

// Say has an event written about a namespace's secret, which needn't be there. It never waits: where the API server is slow, events are lost.
func (e *Events) Say(namespace, kind, reason, message string) {
	now := time.Now()
	at := metav1.NewTime(now)
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("%s.%x", e.cluster.secret, now.UnixNano())},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: namespace, Name: e.cluster.secret},
		Type:           kind, Reason: reason, Message: message, Count: 1, FirstTimestamp: at, LastTimestamp: at,
		Source: corev1.EventSource{Component: e.component}, ReportingController: e.component, ReportingInstance: e.instance,
	}
	select {
	case e.queue <- event:
	default:
	}
}

// Run writes until ctx ends.
func (e *Events) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.queue:
			if err := e.write(ctx, event); err != nil && ctx.Err() == nil {
				e.log.WarnContext(ctx, "an event couldn't be written", "namespace", event.Namespace, "reason", event.Reason, "error", err)
			}
		}
	}
}

func (e *Events) write(ctx context.Context, event *corev1.Event) error {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	return e.cluster.core.Post().Namespace(event.Namespace).Resource("events").Body(event).Do(ctx).Error()
}
