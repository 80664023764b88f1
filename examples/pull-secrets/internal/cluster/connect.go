package cluster

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// queriesPerSecond and burst are this process's own limits: enough for some hundred secrets at once, and no more than an API server notices.
	queriesPerSecond = 50
	burst            = 100
)

// Cluster is one Kubernetes cluster. It is safe for concurrent use.
type Cluster struct {
	core, coordination rest.Interface
	scheme             *runtime.Scheme
	secret, selector   string
}

// Configuration finds the API server: by the kubeconfig file at path, or without one as a pod of the cluster does.
func Configuration(kubeconfig, agent string) (*rest.Config, error) {
	var config *rest.Config
	var err error
	if kubeconfig == "" {
		config, err = rest.InClusterConfig()
	} else {
		config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("the Kubernetes API server isn't known: %w; in a pod it is by itself, elsewhere give --kubeconfig", err)
	}
	config.UserAgent, config.QPS, config.Burst = agent, queriesPerSecond, burst
	return config, nil
}

// Connect returns the cluster of an API server. secret is the name of all secrets that are looked at, selector the labels that ours have.
func Connect(config *rest.Config, secret, selector string) (*Cluster, error) {
	c := &Cluster{scheme: runtime.NewScheme(), secret: secret, selector: selector}
	c.scheme.AddKnownTypes(corev1.SchemeGroupVersion, &corev1.Secret{}, &corev1.SecretList{}, &corev1.Namespace{}, &corev1.NamespaceList{}, &corev1.Event{})
	c.scheme.AddKnownTypes(coordinationv1.SchemeGroupVersion, &coordinationv1.Lease{})
	metav1.AddToGroupVersion(c.scheme, corev1.SchemeGroupVersion)
	metav1.AddToGroupVersion(c.scheme, coordinationv1.SchemeGroupVersion)
	if err := metav1.AddMetaToScheme(c.scheme); err != nil {
		return nil, err
	}
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	client := func(version schema.GroupVersion, path string) (*rest.RESTClient, error) {
		own := rest.CopyConfig(config)
		own.GroupVersion, own.APIPath = &version, path
		own.NegotiatedSerializer = serializer.NewCodecFactory(c.scheme).WithoutConversion()
		return rest.RESTClientForConfigAndClient(own, http)
	}
	if c.core, err = client(corev1.SchemeGroupVersion, "/api"); err != nil {
		return nil, err
	}
	if c.coordination, err = client(coordinationv1.SchemeGroupVersion, "/apis"); err != nil {
		return nil, err
	}
	return c, nil
}
