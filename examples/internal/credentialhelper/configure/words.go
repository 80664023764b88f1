package configure

import (
	"strings"
)

// asFlags is what is wrong with an entry, in the command line's names.
func asFlags(err error) string {
	names := strings.NewReplacer(
		"url: ", "--url: ", "project: ", "--project: ", "ca_file", "--ca-file", "token_file", "--token-file", "token_variable", "--token-variable",
		"token_command", "a command behind --", "github_audience", "--github-audience",
	)
	var all []string
	for line := range strings.Lines(err.Error()) {
		all = append(all, names.Replace(strings.TrimSpace(line)))
	}
	return strings.Join(all, "; ")
}

const usage = `docker-credential-rise configure: say whose credentials are wanted, and have clients ask for them

  docker-credential-rise configure --registry HOST --url URL --project NAME TOKEN [options]
  docker-credential-rise configure --registry HOST --project OTHER
  docker-credential-rise configure --registry HOST --undo

It adds an entry to the helper's credential.yaml and to credHelpers in docker's config.json, shows both, and leaves everything else in
these files as it is. Called again, it changes what is named and keeps the rest.

  --registry HOST         the registry's host as in images' names: registry.example.com, localhost:5001
  --url URL               the service, whose credentials endpoint is asked
  --project NAME          whose repository the credentials are for
  --access push|pull      what they can do (default: push)
  --ca-file FILE          authorities that the service's certificate is trusted by, in place of the system's
  --insecure              allow http:// to another machine

TOKEN says by what the service knows you; one of:
  --token-file FILE       a file with the token, read each time
  --token-variable NAME   a variable of the environment, such as a GitLab job's id_tokens
  --token-stdin           the token itself, from the standard input; credential.yaml then holds it, and is for you alone
  --github-audience AUD   the OIDC token of a GitHub Actions job, for that audience
  -- COMMAND ARGUMENT…    what a command prints, each time; at the end of the line

  --podman                also for podman, buildah and skopeo by a file of their own (REGISTRY_AUTH_FILE, or
                          ~/.config/containers/auth.json); they read docker's too unless REGISTRY_AUTH_FILE or --authfile is set
  --no-docker             leave docker's config.json alone
  --force                 take the place of another helper that is there for this registry
  --undo                  take away what configure has added for this registry, and put back what was there
  --dry-run               show what would change, and change nothing

Examples:
  docker-credential-rise configure --registry registry.example.com --url https://rise.example.com --project hello --token-file ~/.rise-token
  docker-credential-rise configure --registry localhost:5001 --url http://localhost:3000 --project hello --token-stdin < token.txt
  docker-credential-rise configure --registry registry.example.com --url https://rise.example.com --project hello \
      -- aws sts get-web-identity-token --audience rise.example.com --signing-algorithm ES384 --query WebIdentityToken --output text

Files: $XDG_CONFIG_HOME/rise/credential.yaml or ~/.config/rise/credential.yaml; $DOCKER_CONFIG/config.json or ~/.docker/config.json.
Exit codes: 0, also when nothing had to be changed; 1, something stands in the way; 2, called wrongly.
`
