package ecrtest

import (
	"encoding/json"
	"fmt"
	"time"
)

// SetupOptions say what Setup provisions.
type SetupOptions struct {
	// Prefix is the prefix of the repositories; default "rise/".
	Prefix string
	// Installation is the value of the rise:installation tag, on which rights depend; default "prod".
	Installation string
	// SharedRepositories may be pulled from by all sessions: names, or all below one ("mirror/*"). Setup makes none of them.
	SharedRepositories []string
	// SessionTags binds the push role's sessions to the repositories of one project by the session tag rise:project,
	// which the trust policies then demand.
	SessionTags bool
	// AutoRemove lets the controller delete orphaned repositories.
	AutoRemove bool
	// ExternalID and RoleExternalID are demanded by the push role and the controller role, if set.
	ExternalID, RoleExternalID string
	// PullRole makes a role that may pull from all repositories of the prefix.
	PullRole bool
	// KMSKeyARN lets the controller make repositories that are encrypted with that key.
	KMSKeyARN string
	// TagKeys are the keys of further tags that the controller may set.
	TagKeys []string
	// Lifecycle lets the controller set lifecycle policies; without it, it may only remove them.
	Lifecycle bool
	// MaxSessionDuration is that of all roles; default 12 h.
	MaxSessionDuration time.Duration
}

// Deployment is what Setup provisioned: names and keys to put into a configuration.
type Deployment struct {
	// Options are those that it was made with, defaults filled in.
	Options SetupOptions
	// ControllerUser is a key of a user with the controller's rights, so that role_arn need not be set.
	ControllerUser AccessKey
	// OutsideUser is a key of a user who may do nothing but assume the controller role.
	OutsideUser AccessKey
	// ControllerRoleARN, PushRoleARN and PullRoleARN are the roles; the last is empty without PullRole.
	ControllerRoleARN, PushRoleARN, PullRoleARN string
}

// The names that Setup uses.
const (
	setupController = "rise-backend"
	setupPush       = "rise-backend-ecr-push"
	setupPull       = "rise-backend-ecr-pull"
)

var (
	pullActions = []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
	pushActions = []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
		"ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"}
)

type object = map[string]any

// Setup provisions the roles and users of a credential broker as an operator would: a controller that may manage the
// repositories of a prefix and assume the push role, and the push role. It panics when called twice.
func (s *Server) Setup(o SetupOptions) Deployment {
	if o.Prefix == "" {
		o.Prefix = "rise/"
	}
	if o.Installation == "" {
		o.Installation = "prod"
	}
	if o.MaxSessionDuration == 0 {
		o.MaxSessionDuration = 12 * time.Hour
	}
	iamARN := "arn:" + s.cloud.Partition + ":iam::" + s.cloud.Account + ":"
	d := Deployment{Options: o, ControllerRoleARN: iamARN + "role/" + setupController,
		PushRoleARN: iamARN + "role/" + setupPush}
	assumable := []string{d.PushRoleARN}
	if o.PullRole {
		d.PullRoleARN = iamARN + "role/" + setupPull
		assumable = append(assumable, d.PullRoleARN)
	}
	controllerUser, outsideUser := iamARN+"user/"+setupController, iamARN+"user/"+setupController+"-outside"
	controller := s.controllerPolicy(o, assumable)

	d.ControllerUser = s.AddUser(User{Name: controllerUser, Policies: []string{controller}})
	d.OutsideUser = s.AddUser(User{Name: outsideUser, Policies: []string{policy(
		statement("Assume", "sts:AssumeRole", d.ControllerRoleARN, nil))}})
	trust := object{}
	if o.RoleExternalID != "" {
		trust["StringEquals"] = object{"sts:ExternalId": o.RoleExternalID}
	}
	s.AddRole(Role{Name: d.ControllerRoleARN, Policies: []string{controller}, MaxSessionDuration: o.MaxSessionDuration,
		Trust: policy(trustStatement("Assume", []string{outsideUser}, "sts:AssumeRole", trust))})
	brokers := []string{d.ControllerRoleARN, controllerUser}
	s.AddRole(Role{Name: d.PushRoleARN, Policies: []string{s.pushPolicy(o)}, MaxSessionDuration: o.MaxSessionDuration,
		Trust: sessionTrust(o, brokers, o.SessionTags)})
	if o.PullRole {
		s.AddRole(Role{Name: d.PullRoleARN, Policies: []string{s.pullPolicy(o)}, MaxSessionDuration: o.MaxSessionDuration,
			Trust: sessionTrust(o, brokers, false)})
	}
	return d
}

// Tags are the tags of a repository of a project that the deployment's roles take for theirs.
func (d Deployment) Tags(project string) map[string]string {
	return map[string]string{"rise:managed": "true", "rise:project": project, "rise:installation": d.Options.Installation}
}

// Repository is one of the deployment's, for Server.CreateRepository.
func (d Deployment) Repository(project string) Repository {
	return Repository{Name: d.Options.Prefix + project, Tags: d.Tags(project)}
}

func (s *Server) repositories(name string) string {
	return "arn:" + s.cloud.Partition + ":ecr:" + s.cloud.Region + ":" + s.cloud.Account + ":repository/" + name
}

func (s *Server) pushPolicy(o SetupOptions) string {
	ours := object{"aws:ResourceTag/rise:managed": "true", "aws:ResourceTag/rise:installation": o.Installation}
	if o.SessionTags {
		ours["aws:ResourceTag/rise:project"] = "${aws:PrincipalTag/rise:project}"
	}
	guards := s.guards(o)
	if o.SessionTags {
		guards = append(guards, s.deny(o, "OtherProject", object{"StringNotEquals": object{"aws:ResourceTag/rise:project": "${aws:PrincipalTag/rise:project}"}}))
	}
	return policy(append([]object{
		statement("Token", "ecr:GetAuthorizationToken", "*", nil),
		statement("OneProject", pushActions, s.repositories(o.Prefix+"*"), object{
			"StringEquals": ours, "StringNotEquals": object{"aws:ResourceTag/rise:orphaned": "true"},
		}),
	}, guards...)...)
}

func (s *Server) pullPolicy(o SetupOptions) string {
	return policy(append([]object{
		statement("Token", "ecr:GetAuthorizationToken", "*", nil),
		statement("Pull", pullActions, s.repositories(o.Prefix+"*"), object{
			"StringEquals": object{"aws:ResourceTag/rise:managed": "true", "aws:ResourceTag/rise:installation": o.Installation},
		}),
	}, s.guards(o)...)...)
}

// guards are the Denies that the push and pull roles have in common, and what lets them pull what is shared.
func (s *Server) guards(o SetupOptions) []object {
	shared := s.shared(o)
	guards := []object{
		{"Sid": "NothingElse", "Effect": "Deny", "NotAction": "ecr:GetAuthorizationToken", "NotResource": append([]string{s.repositories(o.Prefix + "*")}, shared...)},
		s.deny(o, "OursOnly", object{"StringNotEquals": object{"aws:ResourceTag/rise:installation": o.Installation}}),
		s.deny(o, "NoOrphan", object{"StringEquals": object{"aws:ResourceTag/rise:orphaned": "true"}}),
		s.deny(o, "NoSuspended", object{"StringEquals": object{"aws:ResourceTag/rise:suspended": "true"}}),
	}
	if len(shared) > 0 {
		guards = append(guards, statement("Shared", pullActions, shared, nil), object{"Sid": "SharedReadOnly", "Effect": "Deny",
			"NotAction": append([]string{"ecr:GetAuthorizationToken"}, pullActions...), "Resource": shared})
	}
	return guards
}

// deny is a Deny of everything but tokens, on all but what is shared.
func (s *Server) deny(o SetupOptions, sid string, condition object) object {
	st := object{"Sid": sid, "Effect": "Deny", "NotAction": "ecr:GetAuthorizationToken", "Condition": condition}
	if shared := s.shared(o); len(shared) > 0 {
		st["NotResource"] = shared
	} else {
		st["Resource"] = "*"
	}
	return st
}

func (s *Server) shared(o SetupOptions) []string {
	var arns []string
	for _, name := range o.SharedRepositories {
		arns = append(arns, s.repositories(name))
	}
	return arns
}

func (s *Server) controllerPolicy(o SetupOptions, assumable []string) string {
	own := object{"aws:ResourceTag/rise:managed": "true", "aws:ResourceTag/rise:installation": o.Installation}
	all := s.repositories(o.Prefix + "*")
	keys := func(own ...string) object {
		return object{"aws:TagKeys": append(own, o.TagKeys...)}
	}
	lifecycle := "ecr:DeleteLifecyclePolicy"
	if o.Lifecycle {
		lifecycle = "ecr:PutLifecyclePolicy"
	}
	statements := []object{
		statement("List", "ecr:DescribeRepositories", s.repositories("*"), nil),
		statement("Read", []string{"ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"}, all, nil),
		statement("CreateTagged", []string{"ecr:CreateRepository", "ecr:TagResource"}, all, object{
			"StringEquals":              object{"aws:RequestTag/rise:managed": "true", "aws:RequestTag/rise:installation": o.Installation},
			"ForAllValues:StringEquals": keys("rise:managed", "rise:installation", "rise:project", "rise:project-id"),
			"Null": object{"aws:RequestTag/rise:project": "false", "aws:ResourceTag/rise:managed": "true",
				"aws:ResourceTag/rise:installation": "true"},
		}),
		statement("MarkOwn", "ecr:TagResource", all, object{
			"StringEquals": own, "ForAllValues:StringEquals": keys("rise:orphaned", "rise:orphaned-at", "rise:suspended"),
			"Null": object{"aws:TagKeys": "false"},
		}),
		statement("NameOwner", "ecr:TagResource", all, object{
			"StringEquals": own, "ForAllValues:StringEquals": keys("rise:project-id", "rise:orphaned", "rise:orphaned-at"),
			"Null": object{"aws:TagKeys": "false", "aws:ResourceTag/rise:project-id": "true"},
		}),
		statement("UnmarkOwn", "ecr:UntagResource", all, object{
			"StringEquals": own, "ForAllValues:StringEquals": object{"aws:TagKeys": []string{"rise:orphaned", "rise:orphaned-at", "rise:suspended"}},
			"Null": object{"aws:TagKeys": "false"},
		}),
		statement("ConfigureOwn", []string{lifecycle, "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability"}, all,
			object{"StringEquals": own}),
		statement("AssumePush", []string{"sts:AssumeRole", "sts:TagSession"}, assumable, nil),
	}
	if o.AutoRemove {
		orphan := object{"aws:ResourceTag/rise:orphaned": "true"}
		for key, value := range own {
			orphan[key] = value
		}
		statements = append(statements, statement("DeleteOwnOrphans", "ecr:DeleteRepository", all,
			object{"StringEquals": orphan}))
	}
	if o.KMSKeyARN != "" {
		via := object{"kms:ViaService": "ecr." + s.cloud.Region + "." + s.cloud.DNSSuffix}
		statements = append(statements,
			statement("Kms", []string{"kms:DescribeKey", "kms:RetireGrant"}, o.KMSKeyARN, object{"StringEquals": via}),
			statement("KmsGrant", "kms:CreateGrant", o.KMSKeyARN, object{"StringEquals": via,
				"Bool": object{"kms:GrantIsForAWSResource": "true"}}))
	}
	return policy(statements...)
}

// sessionTrust is the trust policy of the push and pull roles.
func sessionTrust(o SetupOptions, principals []string, tagged bool) string {
	assume := object{"StringLike": object{"sts:RoleSessionName": []string{"rise-push-*", "rise-pull-*"}}}
	if o.ExternalID != "" {
		assume["StringEquals"] = object{"sts:ExternalId": o.ExternalID}
	}
	if tagged {
		assume["Null"] = object{"aws:RequestTag/rise:project": "false"}
	}
	return policy(
		trustStatement("Assume", principals, "sts:AssumeRole", assume),
		trustStatement("Tag", principals, "sts:TagSession", object{"ForAllValues:StringEquals": object{
			"aws:TagKeys": []string{
				"rise:project", "eks-cluster-arn", "eks-cluster-name", "kubernetes-namespace", "kubernetes-service-account",
				"kubernetes-pod-name", "kubernetes-pod-uid"}}}))
}

// statement is an Allow of an identity-based policy.
func statement(sid string, action, resource any, condition object) object {
	st := object{"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}
	if len(condition) > 0 {
		st["Condition"] = condition
	}
	return st
}

func trustStatement(sid string, principals []string, action string, condition object) object {
	st := object{"Sid": sid, "Effect": "Allow", "Action": action, "Principal": object{"AWS": principals}}
	if len(condition) > 0 {
		st["Condition"] = condition
	}
	return st
}

func policy(statements ...object) string {
	out, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(fmt.Sprintf("ecrtest: %v", err))
	}
	return string(out)
}
