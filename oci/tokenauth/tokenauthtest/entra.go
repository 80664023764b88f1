package tokenauthtest

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

// Workload is an identity at Microsoft Entra whose federated token an account of an ACR is reached with.
type Workload struct {
	TenantID, ClientID string
	// Assertion is the workload's own token, which Entra takes.
	Assertion string
	// Username is the account that it is at the registry.
	Username string
}

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	entraScope    = "https://containerregistry.azure.net/.default"
	refreshLife   = 3 * time.Hour
	entraLife     = time.Hour
)

// directory is Entra, and who is known at the registry by it.
type directory struct {
	workload Workload
	signer   signer
	behavior behavior

	mu            sync.Mutex // of what follows
	entraTokens   map[string]time.Time
	refreshTokens map[string]string // whose
}

func newDirectory(w Workload, s signer, b behavior) *directory {
	return &directory{workload: w, signer: s, behavior: b, entraTokens: map[string]time.Time{}, refreshTokens: map[string]string{}}
}

// serveEntra answers as Entra's token endpoint does a client with a federated credential.
func (d *directory) serveEntra(w http.ResponseWriter, r *http.Request) {
	refuse := func(code, text string) {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": code, "error_description": text + " Trace ID: 00000000-0000-0000-0000-000000000000"})
	}
	workload := d.workload
	switch {
	case r.Method != http.MethodPost:
		http.Error(w, "", http.StatusMethodNotAllowed)
	case r.URL.Path != "/"+workload.TenantID+"/oauth2/v2.0/token":
		refuse("invalid_request", "AADSTS90002: Tenant not found.")
	case r.PostFormValue("client_id") != workload.ClientID:
		refuse("unauthorized_client", "AADSTS700016: Application with identifier was not found in the directory.")
	case r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("client_assertion_type") != assertionType:
		refuse("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
	case r.PostFormValue("scope") != entraScope:
		refuse("invalid_resource", "AADSTS500011: The resource principal was not found in the tenant.")
	case workload.Assertion == "" || r.PostFormValue("client_assertion") != workload.Assertion:
		refuse("invalid_client", "AADSTS700213: No matching federated identity record found for presented assertion.")
	default:
		token := "entra-" + rand.Text()
		d.mu.Lock()
		d.entraTokens[token] = time.Now().Add(entraLife)
		d.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(entraLife.Seconds()), "access_token": token})
	}
}

// serveExchange answers as an ACR does who has a token of Entra's: with a refresh token.
func (d *directory) serveExchange(service string, w http.ResponseWriter, r *http.Request) {
	workload, now := d.workload, time.Now()
	d.mu.Lock()
	good := now.Before(d.entraTokens[r.PostFormValue("access_token")])
	d.mu.Unlock()
	tenant := r.PostFormValue("tenant") // Azure's own client names none
	switch {
	case r.Method != http.MethodPost || r.PostFormValue("grant_type") != "access_token":
		writeJSON(w, http.StatusBadRequest, map[string]any{"errors": []any{map[string]any{"code": "UNSUPPORTED", "message": "grant_type"}}})
	case !good || r.PostFormValue("service") != service || tenant != "" && tenant != workload.TenantID:
		d.behavior.refusal(w)
	default:
		token, err := d.signer.sign(map[string]any{
			"jti": rand.Text(), "sub": workload.Username, "iss": d.behavior.issuer, "aud": service, "version": "1.0", "grant_type": "refresh_token",
			"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(refreshLife).Unix(), "tenant": workload.TenantID, "roles": []string{},
		})
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		d.mu.Lock()
		d.refreshTokens[token] = workload.Username
		d.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"refresh_token": token})
	}
}

// whose is the account of a refresh token; empty for none.
func (d *directory) whose(refreshToken string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refreshTokens[refreshToken]
}

func (d *directory) revoke() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.refreshTokens)
}
