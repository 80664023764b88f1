// Package ecrtest is AWS STS, ECR's API and ECR's image registry in one in-process server, for tests of what hands
// out or uses ECR credentials. It enforces: signatures are verified, policies evaluated, tokens expire.
//
//	srv := ecrtest.NewServer(ecrtest.Config{})
//	defer srv.Close()
//	d := srv.Setup(ecrtest.SetupOptions{})     // a controller, and a push role for repositories under rise/
//	srv.CreateRepository(d.Repository("hello")) // rise/hello, with the tags that the roles ask for
//	t.Setenv("AWS_ENDPOINT_URL", srv.URL)
//	t.Setenv("AWS_ACCESS_KEY_ID", d.ControllerUser.ID)
//	t.Setenv("AWS_SECRET_ACCESS_KEY", d.ControllerUser.Secret)
//	// … assume d.PushRoleARN, ask for a token, push to srv.RegistryHost + "/rise/hello" …
//	require.Equal(t, "sts:AssumeRole", srv.Calls()[0].Name())
//
// AddUser, AddRole, AddOIDCProvider and AddPodIdentity make other identities than Setup's; Inject makes calls fail;
// Calls tells what was asked. With Config.InMemory nothing is listened on: Client, Transport and DialContext reach
// the server under AWS's own host names, and testing/synctest moves time for the server, the AWS SDK and the code
// under test together.
//
// # What is enforced
//
// Authentication. Signatures (SigV4, in the Authorization header) are recomputed with the SDK's signer over what was
// received: method, path, query, signed headers and body. Host, Content-Type and all X-Amz-* headers must be signed.
// Access key, session token, expiry, region, service and a clock skew of five minutes are checked. The image registry
// takes Basic authentication with a token, and refuses one that is unknown, expired or of another region.
//
// Identities. Users with keys; roles with trust policy, permissions boundary and longest session; OIDC providers
// whose tokens are verified (signature, issuer, audience, expiry); EKS Pod Identity, whose session tags are
// transitive. Policies name users and roles by their unique ids once saved, so that a role that is made again is
// another one. AssumeRole checks the trust policy, external id, sts:TagSession (by the trust policy and by the
// caller's own policies), sts:SetSourceIdentity, session name, duration (15 minutes to the role's longest, one hour
// when a session asks) and the size of the session policy.
//
// Authorization. As the IAM User Guide documents it in "Policy evaluation logic": an explicit Deny anywhere first,
// then service control policies, then what a resource-based policy (the repository's or the registry's) grants,
// according to whether it names the user, role, session, account or everybody, and else identity-based policies ∩
// permissions boundary ∩ session policies; across accounts both sides. All elements of the policy language but those
// of other principals than AWS, Service and Federated; all condition operators; policy variables; the global
// condition keys that apply, aws:RequestTag, aws:ResourceTag, ecr:ResourceTag, aws:TagKeys and sts:*. Denials carry
// AWS's wording with the type of policy that caused them; STS's don't, as AWS's own.
//
// ECR's API. Authorization tokens; repositories with tags, paging, settings, lifecycle policies and policies; the
// registry policy; images; the documented exceptions. Each account and region has a registry of its own. With a KMS
// key, the caller needs kms:DescribeKey and kms:CreateGrant to create a repository, and kms:RetireGrant to delete it.
//
// The image registry. It is oci/imageregistry, one for each account and region, and passes the OCI distribution
// specification's conformance program with what sessions may do. Neither blobs nor uploads reach from one repository
// into another. It has the specification's routes in their one spelling (no "..", "//", "%2F"); all else is 405,
// UNSUPPORTED, without that policies are asked, as are the catalog, DELETE of a blob and DELETE of an upload. Each request
// needs its ECR actions on its repository before it is told whether there is one: HEAD of a blob
// BatchCheckLayerAvailability, GET GetDownloadUrlForLayer, POST of an upload InitiateLayerUpload, PATCH UploadLayerPart,
// PUT CompleteLayerUpload (with a body UploadLayerPart too), a POST with ?digest= all three, PUT of a manifest PutImage,
// GET and HEAD of a manifest and referrers BatchGetImage, tags/list ListImages, DELETE of a manifest BatchDeleteImage. A
// mount takes GetDownloadUrlForLayer on the source and else becomes an upload. Tag immutability with its exclusions,
// create-on-push templates, and layers that must be there before a manifest are held.
//
// # What AWS doesn't tell
//
// Each open question is a mode of Config; the zero value is the documented answer or the likelier one, with tokens that
// outlive their session: TokenDiesWithSession, TokenRights, TagDelay, SessionPoliciesLimitGrants, MountWithoutFrom,
// ForceDeleteNeedsBatchDelete, CreateOnPushUnchecked. A promise about isolation should be shown in all of them.
//
// # Where it differs from AWS
//
//   - No TLS. aws:SecureTransport is true all the same.
//   - Changes take effect at once, those of tags with Config.TagDelay apart.
//   - STS has AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity. There are no managed policies
//     (PolicyArns), groups, MFA, root users, federated users, session tags from a web identity token, or resource
//     control policies. All service control policies count as attached to one level of the organization.
//   - sts:TagSession must be allowed by the caller's own policies even where the trust policy alone would do.
//   - A policy may name a principal that doesn't exist yet, and names it once it does; AWS refuses such a policy.
//   - A value with a policy variable that can't be resolved matches nothing; AWS says that the statement "might be
//     invalid".
//   - Tags that differ in case only are one condition key, and AWS doesn't say whose value it has. Here a statement that
//     allows holds for any of them, and one that denies only where it does for all: what is shown closed is so either way.
//   - Wildcards in a Resource match any characters, colons included. ECR's service-specific limits on a policy's
//     elements, and whether actions and keys exist, aren't checked.
//   - A repository that exists has no influence on the authorization of a CreateRepository for its name.
//   - Pages of DescribeRepositories are in order of names. Images aren't scanned, expired by lifecycle policies,
//     replicated or pulled through; quotas are enforced only as Config has them.
//   - InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, PutImage and GetDownloadUrlForLayer are authorized
//     at the API, but carried out at the image registry only.
//   - Blobs come from the registry itself, not by redirection from S3. Request bodies are limited to 1 MiB at the
//     APIs and 512 MiB at the registry. Everything is kept in memory, at most 2 GiB of images for an account and region.
//   - The state of an upload (GET) takes UploadLayerPart, and digests by SHA-512 are taken like those by SHA-256: of ECR
//     neither is documented. A name of 256 characters, ECR's longest, is out of the image registry's reach.
//   - The texts of errors follow AWS's where they are documented or known, and are meant for people otherwise.
//
// # Counting connections
//
// Connections tells how many connections an endpoint accepted. The SDK hands net/http request bodies that are written
// after the headers and closed as soon as an answer is there; on loopback the answer can come before the writer is
// done, which costs the connection. A client that gives net/http the body as a *bytes.Reader keeps it.
package ecrtest
