package identity

import "strings"

// PodDefinition is an association of EKS Pod Identity: see ecrtest.PodIdentity. Here nothing has a default.
type PodDefinition struct {
	Role                                                   string
	ClusterARN, Namespace, ServiceAccount, PodName, PodUID string
}

// Pod is a pod that gets a role's credentials.
type Pod struct {
	ID          string // of the association
	RoleARN     string // of a role that need not exist
	Token       string // that the pod shows
	ClusterARN  string
	SessionName string
	Tags        map[string]string // of its sessions
}

// Pods are the associations that there are.
type Pods struct {
	roles *Roles
	byID  map[string]*Pod
}

// NewPods makes a store of associations with roles.
func NewPods(roles *Roles) *Pods { return &Pods{roles: roles, byID: map[string]*Pod{}} }

// Add makes an association.
func (ps *Pods) Add(def PodDefinition) (*Pod, error) {
	arn, err := ps.roles.ARN(def.Role)
	if err != nil {
		return nil, err
	}
	cluster := def.ClusterARN[strings.LastIndexByte(def.ClusterARN, '/')+1:]
	name := "eks-" + cluster + "-" + def.PodName
	p := &Pod{ID: strings.ToLower(randomID("a-")), RoleARN: arn, Token: randomSecret(48), ClusterARN: def.ClusterARN,
		SessionName: name[:min(len(name), 64)], Tags: map[string]string{
			"eks-cluster-arn": def.ClusterARN, "eks-cluster-name": cluster, "kubernetes-namespace": def.Namespace,
			"kubernetes-service-account": def.ServiceAccount, "kubernetes-pod-name": def.PodName,
			"kubernetes-pod-uid": def.PodUID,
		}}
	ps.byID[p.ID] = p
	return p, nil
}

// ByID finds an association; nil when there is none.
func (ps *Pods) ByID(id string) *Pod { return ps.byID[id] }
