package ecrtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// registryProtocol is the image registry's: the OCI distribution API with ECR's rules.
type registryProtocol struct{ *Server }

// maxManifest is ECR's limit for manifests.
const maxManifest = 4 << 20

// An ociRequest is a request to the image registry, taken apart.
type ociRequest struct {
	kind    ociKind
	name    string   // of the repository
	target  string   // digest, tag or upload
	actions []string // that ECR needs, in order
}

type ociKind uint8

const (
	unserved ociKind = iota // what ECR doesn't serve
	ping
	readBlob
	startUpload
	patchUpload
	finishUpload
	readManifest
	putManifest
	deleteManifest
	listTags
	listReferrers
)

// parseOCI maps a request to the ECR actions that it needs.
func parseOCI(r *http.Request, bodySize int) ociRequest {
	rest := strings.TrimPrefix(r.URL.Path, "/v2")
	if rest == "" || rest == "/" {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return ociRequest{kind: ping}
		}
		return ociRequest{}
	}
	elem := strings.Split(strings.TrimSuffix(strings.TrimPrefix(rest, "/"), "/"), "/")
	n := len(elem)
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	q := ociRequest{}
	switch {
	case n >= 4 && elem[n-3] == "blobs" && elem[n-2] == "uploads":
		q.name, q.target = strings.Join(elem[:n-3], "/"), elem[n-1]
		switch r.Method {
		case http.MethodPatch:
			q.kind, q.actions = patchUpload, []string{"UploadLayerPart"}
		case http.MethodPut:
			q.kind, q.actions = finishUpload, []string{"CompleteLayerUpload"}
			if bodySize > 0 {
				q.actions = []string{"UploadLayerPart", "CompleteLayerUpload"}
			}
		}
	case n >= 3 && elem[n-2] == "blobs" && elem[n-1] == "uploads":
		q.name = strings.Join(elem[:n-2], "/")
		if r.Method == http.MethodPost {
			q.kind, q.actions = startUpload, []string{"InitiateLayerUpload"}
			if r.URL.Query().Get("digest") != "" {
				q.actions = []string{"InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}
			}
		}
	case n >= 3 && elem[n-2] == "blobs":
		q.name, q.target = strings.Join(elem[:n-2], "/"), elem[n-1]
		switch r.Method {
		case http.MethodHead:
			q.kind, q.actions = readBlob, []string{"BatchCheckLayerAvailability"}
		case http.MethodGet:
			q.kind, q.actions = readBlob, []string{"GetDownloadUrlForLayer"}
		}
	case n >= 3 && elem[n-2] == "manifests":
		q.name, q.target = strings.Join(elem[:n-2], "/"), elem[n-1]
		switch {
		case read:
			q.kind, q.actions = readManifest, []string{"BatchGetImage"}
		case r.Method == http.MethodPut:
			q.kind, q.actions = putManifest, []string{"PutImage"}
		case r.Method == http.MethodDelete:
			q.kind, q.actions = deleteManifest, []string{"BatchDeleteImage"}
		}
	case n >= 3 && elem[n-2] == "tags" && elem[n-1] == "list":
		q.name = strings.Join(elem[:n-2], "/")
		if r.Method == http.MethodGet {
			q.kind, q.actions = listTags, []string{"ListImages"}
		}
	case n >= 3 && elem[n-2] == "referrers":
		q.name, q.target = strings.Join(elem[:n-2], "/"), elem[n-1]
		if r.Method == http.MethodGet {
			q.kind, q.actions = listReferrers, []string{"BatchGetImage"}
		}
	}
	if q.kind != unserved && checkName(q.name) != nil {
		q.kind = unserved
	}
	return q
}

// registryOfHost takes account and region from ECR's host names, and else is the server's own.
func (s *Server) registryOfHost(host string) registryKey {
	if m := registryHostPattern.FindStringSubmatch(host); m != nil {
		return registryKey{m[1], m[2]}
	}
	return registryKey{s.cfg.Account, s.cfg.Region}
}

func (p registryProtocol) describe(r *http.Request, body []byte, c *Call) {
	c.Region = p.registryOfHost(r.Host).region
	c.Form = r.URL.Query()
	switch q := parseOCI(r, len(body)); {
	case q.kind == ping:
		c.Action = "Ping"
	case len(q.actions) > 0:
		c.Action = q.actions[len(q.actions)-1]
	}
	if _, password, ok := r.BasicAuth(); ok {
		p.mu.Lock()
		if t := p.tokens[password]; t != nil {
			c.AccessKeyID = t.keyID
		}
		p.mu.Unlock()
	}
}

func (registryProtocol) fail(e *awsError, c *Call) response {
	code, status := e.code, e.status
	if strings.Contains(strings.ToLower(code), "throttl") || code == "TOOMANYREQUESTS" {
		code, status = "TOOMANYREQUESTS", http.StatusTooManyRequests
	}
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, _ := json.Marshal(map[string][]one{"errors": {{code, e.message}}}) // plain strings
	return response{status: status, code: code, body: body, header: ociHeader("application/json; charset=utf-8")}
}

func ociHeader(contentType string) http.Header {
	return http.Header{"Content-Type": {contentType}, "Docker-Distribution-Api-Version": {"registry/2.0"}}
}

func ociError(status int, code, format string, args ...any) *awsError {
	return &awsError{code: code, message: fmt.Sprintf(format, args...), status: status}
}

func (p registryProtocol) handle(r *http.Request, body []byte, c *Call) response {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := p.registryOfHost(r.Host)
	_, password, _ := r.BasicAuth()
	t := p.tokens[password]
	if user, _, _ := r.BasicAuth(); t == nil || user != "AWS" {
		header := ociHeader("text/plain; charset=utf-8")
		header.Set("Www-Authenticate", `Basic realm="https://`+r.Host+`/",service="ecr.amazonaws.com"`)
		return response{status: http.StatusUnauthorized, header: header, code: "UNAUTHORIZED",
			body: []byte("Not Authorized\n")}
	}
	c.Principal = t.who.arn()
	if t.region != key.region || p.expired(t, p.now()) {
		return p.fail(ociError(http.StatusForbidden, "DENIED",
			"Your authorization token has expired. Reauthenticate and try "+
				"again."), c)
	}
	if t.fixed == nil && t.who.deleted() {
		return p.fail(ociError(http.StatusForbidden, "DENIED", "The security token included in the request is invalid."), c)
	}
	if aerr := p.throttle(t.who.account(), c); aerr != nil {
		return p.fail(aerr, c)
	}
	q := parseOCI(r, len(body))
	if q.kind == ping {
		return response{status: http.StatusOK, header: ociHeader("application/json; charset=utf-8"), body: []byte("{}")}
	}
	if q.kind == unserved {
		return p.fail(ociError(http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported."), c)
	}
	x := ociCall{Server: p.Server, r: r, body: body, token: t, call: c, request: q,
		reg: p.registry(key.account, key.region)}
	resp, aerr := x.carryOut()
	if aerr != nil {
		return p.fail(aerr, c)
	}
	return resp
}

// ociCall is one request to the image registry by a valid token. The server is locked while it is carried out.
type ociCall struct {
	*Server
	r       *http.Request
	body    []byte
	token   *token
	call    *Call
	request ociRequest
	reg     *registry
}

// authorize decides an action on a repository, which need not exist.
func (x *ociCall) authorize(action, name string, repo *repository) *awsError {
	arn := x.repositoryARN(x.reg.key, name)
	ctx := x.context(x.token.who, x.reg.key.region, x.r)
	d := x.decide(x.token.who, x.token.rights(), "ecr:"+action, arn, x.reg.key.account, x.reg.key.region, repo, ctx)
	x.call.Resource, x.call.Decision = arn, d.String()
	if !d.Allowed {
		return ociError(http.StatusForbidden, "DENIED", "%s", denial(x.token.who, "ecr:"+action, arn, d))
	}
	return nil
}

func (x *ociCall) carryOut() (response, *awsError) {
	q := x.request
	repo := x.reg.repositories[q.name]
	for _, action := range q.actions {
		if err := x.authorize(action, q.name, repo); err != nil {
			return response{}, err
		}
	}
	if repo == nil {
		created, err := x.createOnPush()
		if err != nil {
			return response{}, err
		}
		repo = created
	}
	repo.open()
	switch q.kind {
	case readBlob:
		if !imageDigest.MatchString(q.target) {
			return response{}, ociError(http.StatusBadRequest, "DIGEST_INVALID", "Invalid digest %q", q.target)
		}
	case startUpload:
		return x.startUpload(repo)
	case patchUpload, finishUpload:
		return x.continueUpload(repo)
	case readManifest, putManifest, deleteManifest:
		if !imageTag.MatchString(q.target) && !imageDigest.MatchString(q.target) {
			return response{}, ociError(http.StatusBadRequest, "TAG_INVALID", "Invalid tag or digest %q", q.target)
		}
		switch q.kind {
		case putManifest:
			return x.putManifest(repo)
		case deleteManifest:
			return x.deleteManifest(repo)
		}
		if id := reference(q.target); !repo.has(id) {
			return response{}, ociError(http.StatusNotFound, "MANIFEST_UNKNOWN", "Requested image not found")
		}
	case listTags:
		if n := x.r.URL.Query().Get("n"); n != "" && !digits.MatchString(n) {
			return response{}, ociError(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "Invalid number %q", n)
		}
		if len(repo.images) == 0 { // ggcr doesn't know a repository without manifests
			body, _ := json.Marshal(map[string]any{"name": repo.name, "tags": []string{}}) // plain strings
			return response{status: http.StatusOK, body: body, header: ociHeader("application/json; charset=utf-8")}, nil
		}
	case listReferrers:
		if !imageDigest.MatchString(q.target) {
			return response{}, ociError(http.StatusBadRequest, "DIGEST_INVALID", "Invalid digest %q", q.target)
		}
		if len(repo.images) == 0 {
			body := []byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`)
			return response{status: http.StatusOK, body: body, header: ociHeader(string(types.OCIImageIndex))}, nil
		}
	}
	return x.forward(repo), nil
}

// forward lets ggcr's registry answer.
func (x *ociCall) forward(repo *repository) response {
	resp := repo.do(x.r, x.body)
	resp.header.Set("Docker-Distribution-Api-Version", "registry/2.0")
	if resp.status >= 400 {
		var failure struct {
			Errors []struct{ Code string }
		}
		if json.Unmarshal(resp.body, &failure) == nil && len(failure.Errors) > 0 {
			resp.code = failure.Errors[0].Code
		}
	}
	return resp
}

func reference(target string) imageID {
	if strings.Contains(target, ":") {
		return imageID{Digest: target}
	}
	return imageID{Tag: target}
}

func (r *repository) has(id imageID) bool {
	_, failure := r.find(id)
	return failure == nil
}

// createOnPush makes a missing repository if it is pushed to and a creation template is there for it.
func (x *ociCall) createOnPush() (*repository, *awsError) {
	name := x.request.name
	missing := ociError(http.StatusNotFound, "NAME_UNKNOWN",
		"The repository with name '%s' does not exist in the registry with "+
			"id '%s'", name, x.reg.key.account)
	if x.request.kind != startUpload && x.request.kind != putManifest {
		return nil, missing
	}
	t := x.reg.templateFor(name)
	if t == nil {
		return nil, missing
	}
	if !x.cfg.CreateOnPushUnchecked {
		if err := x.authorize("CreateRepository", name, nil); err != nil {
			return nil, err
		}
	}
	now := x.now()
	repo, err := x.create(x.reg, name, settings{mutability: t.TagMutability}, t.Tags, now, now)
	if err != nil {
		return nil, missing
	}
	if x.setPolicy(repo, t.Policy) != nil { // checked when the template was added
		return nil, missing
	}
	return repo, nil
}

// startUpload is POST …/blobs/uploads/: an upload, a whole blob with ?digest=, or a mount with ?mount=.
func (x *ociCall) startUpload(repo *repository) (response, *awsError) {
	query := x.r.URL.Query()
	if digest := query.Get("mount"); digest != "" && x.mount(repo, digest, query.Get("from")) {
		header := ociHeader("text/plain; charset=utf-8")
		header.Set("Location", "/v2/"+repo.name+"/blobs/"+digest)
		header.Set("Docker-Content-Digest", digest)
		return response{status: http.StatusCreated, header: header}, nil
	}
	if digest := query.Get("digest"); digest != "" && digest != digestOf(x.body) {
		return response{}, wrongDigest(digest)
	}
	resp := x.forward(repo)
	if location := resp.header.Get("Location"); resp.status == http.StatusAccepted && location != "" {
		id := path.Base(location)
		repo.uploads[id] = &upload{hash: sha256.New()}
		resp.header.Set("Docker-Upload-Uuid", id)
	}
	return resp, nil
}

// mount copies a blob from another repository if the token may download it there (ECR User Guide, "Blob mounting"). A mount that isn't possible becomes an
// upload, and says nothing about the source.
func (x *ociCall) mount(into *repository, digest, from string) bool {
	if !imageDigest.MatchString(digest) {
		return false
	}
	candidates := []string{from}
	if from == "" {
		if !x.cfg.MountWithoutFrom {
			return false
		}
		candidates = x.reg.names
	}
	resource, decision := x.call.Resource, x.call.Decision
	defer func() { x.call.Resource, x.call.Decision = resource, decision }()
	for _, name := range candidates {
		source := x.reg.repositories[name]
		if source == nil {
			continue
		}
		blob, ok := source.blobs[digest]
		if ok && x.authorize("GetDownloadUrlForLayer", name, source) == nil {
			into.blobs[digest] = blob
			return true
		}
	}
	return false
}

// continueUpload is PATCH and PUT …/blobs/uploads/<id>. Only uploads that were started in this repository continue.
func (x *ociCall) continueUpload(repo *repository) (response, *awsError) {
	id := x.request.target
	up := repo.uploads[id]
	if up == nil {
		return response{}, ociError(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "The upload '%s' does not exist", id)
	}
	if up.size+len(x.body) > maxBlobBody {
		return response{}, ociError(http.StatusRequestEntityTooLarge, "SIZE_INVALID",
			"The layer is larger than %d bytes", maxBlobBody)
	}
	if x.request.kind == patchUpload && up.started && x.r.Header.Get("Content-Range") == "" {
		// ggcr wants a range for every part but the first; clients may leave it out.
		x.r.Header.Set("Content-Range", fmt.Sprintf("%d-%d", up.size, up.size+len(x.body)-1))
	}
	if x.request.kind == patchUpload {
		resp := x.forward(repo)
		if resp.status < 400 {
			_, _ = up.hash.Write(x.body) // never fails
			up.started, up.size = true, up.size+len(x.body)
			resp.header.Set("Docker-Upload-Uuid", id)
		}
		return resp, nil
	}
	digest := x.r.URL.Query().Get("digest")
	delete(repo.uploads, id)
	_, _ = up.hash.Write(x.body) // never fails
	if digest != hexDigest(up.hash.Sum(nil)) {
		return response{}, wrongDigest(digest)
	}
	resp := x.forward(repo)
	resp.header.Set("Location", "/v2/"+repo.name+"/blobs/"+digest)
	return resp, nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hexDigest(sum[:])
}

func hexDigest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

func wrongDigest(digest string) *awsError {
	return ociError(http.StatusBadRequest, "DIGEST_INVALID", "The content isn't that of digest %q", digest)
}

// putManifest is PutImage: what the manifest refers to must be in the repository, and a tag that is immutable stays.
func (x *ociCall) putManifest(repo *repository) (response, *awsError) {
	target := x.request.target
	digest := digestOf(x.body)
	m, err := parseManifest(x.body)
	tagged := imageTag.MatchString(target)
	switch {
	case len(x.body) > maxManifest:
		return response{}, ociError(http.StatusRequestEntityTooLarge, "MANIFEST_INVALID", "The manifest is larger than 4 MiB")
	case err != nil:
		return response{}, ociError(http.StatusBadRequest, "MANIFEST_INVALID", "The manifest is no JSON")
	case !tagged && target != digest:
		return response{}, ociError(http.StatusBadRequest, "DIGEST_INVALID", "The manifest's digest is %s", digest)
	}
	var missing []string
	size := int64(len(x.body))
	blobs := m.Layers
	if m.Config != nil {
		blobs = append([]v1.Descriptor{*m.Config}, m.Layers...)
	}
	for _, d := range blobs {
		blob, ok := repo.blobs[d.Digest.String()]
		if !ok && d.MediaType.IsDistributable() {
			missing = append(missing, d.Digest.String())
		}
		size += int64(len(blob))
	}
	if len(missing) > 0 {
		return response{}, ociError(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN",
			"Layers with digests '%s' required for pushing "+
				"image into repository with name '%s' in the registry with id '%s' do not exist", missing, repo.name,
			repo.key.account)
	}
	var old *image
	if tagged {
		old = repo.byTag(target)
	}
	if old != nil && old.digest != digest && repo.immutable(target) {
		return response{}, ociError(http.StatusBadRequest, "TAG_INVALID", "The image tag '%s' already exists in the '%s' "+
			"repository and cannot be overwritten because the tag is immutable.", target, repo.name)
	}
	resp := x.forward(repo)
	if resp.status != http.StatusCreated {
		return resp, nil
	}
	img := repo.images[digest]
	if img == nil {
		img = &image{digest: digest, mediaType: x.r.Header.Get("Content-Type"), manifest: slices.Clone(x.body), size: size,
			tags: map[string]bool{}, pushedAt: x.now(), artifact: m.Artifact}
		if m.Config != nil && img.artifact == "" {
			img.artifact = string(m.Config.MediaType)
		}
		repo.images[digest] = img
	}
	if m.Subject != nil {
		img.subject = m.Subject.Digest.String()
		resp.header.Set("Oci-Subject", img.subject)
	}
	if tagged {
		if old != nil && old != img {
			delete(old.tags, target)
		}
		img.tags[target] = true
	}
	resp.header.Set("Location", "/v2/"+repo.name+"/manifests/"+digest)
	return resp, nil
}

// deleteManifest is BatchDeleteImage.
func (x *ociCall) deleteManifest(repo *repository) (response, *awsError) {
	id := reference(x.request.target)
	img, failure := repo.find(id)
	if failure != nil {
		return response{}, ociError(http.StatusNotFound, "MANIFEST_UNKNOWN", "%s", failure.Reason)
	}
	if (id.Tag == "" || len(img.tags) == 1) && repo.referenced(img.digest) {
		return response{}, ociError(http.StatusForbidden, "DENIED", "Requested image referenced by manifest list")
	}
	repo.unreference(img, id.Tag)
	return response{status: http.StatusAccepted, header: ociHeader("text/plain; charset=utf-8")}, nil
}
