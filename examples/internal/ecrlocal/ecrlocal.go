// Package ecrlocal is how the operator reaches the double of AWS that the server runs in its mode ecr-local: by a file, which the server writes
// and removes, and which one variable names.
package ecrlocal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/rise-deploy/rise-registry-go/ecr"
)

// Mode is the built-in run mode.
const Mode = "ecr-local"

// EnvFile names the file of a running server's [Account].
const EnvFile = "RISE_ECR_LOCAL_FILE"

// Account is what there is to know of the double: where it is, and what the mode's configuration leaves open. It holds a key, which opens
// nothing else.
type Account struct {
	URL             string `json:"url"`
	RegistryHost    string `json:"registry_host"`
	PushRoleARN     string `json:"push_role_arn"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// Lookup adds the variables of the built-in configuration to an environment; nil is the process's.
func (a Account) Lookup(environment func(string) (string, bool)) func(string) (string, bool) {
	if environment == nil {
		environment = os.LookupEnv
	}
	ours := map[string]string{
		"RISE_ECR_LOCAL_PUSH_ROLE_ARN":     a.PushRoleARN,
		"RISE_ECR_LOCAL_ACCESS_KEY_ID":     a.AccessKeyID,
		"RISE_ECR_LOCAL_SECRET_ACCESS_KEY": a.SecretAccessKey,
	}
	if a.RegistryHost != "" {
		ours["RISE_REGISTRY_LISTEN"] = a.RegistryHost
	}
	return func(name string) (string, bool) {
		if value, ok := ours[name]; ok {
			return value, true
		}
		return environment(name)
	}
}

// Option sends a provider to the double, whatever endpoints the environment asks for.
func (a Account) Option() ecr.Option {
	return ecr.WithLoadOptions(
		awsconfig.WithBaseEndpoint(a.URL),
		awsconfig.WithUseFIPSEndpoint(aws.FIPSEndpointStateDisabled),
		awsconfig.WithUseDualStackEndpoint(aws.DualStackEndpointStateDisabled),
	)
}

// Write puts a into a new file that nobody else can read, and returns its path.
func (a Account) Write() (path string, err error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "rise-"+Mode+"-") // of mode 0700, by a name that nobody foresees
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "account.json")
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return path, nil
}

// Remove removes a file that [Account.Write] wrote.
func Remove(path string) error { return os.RemoveAll(filepath.Dir(path)) }

// Read reads the file that the environment names; nil is the process's. Without one, ok is false.
func Read(environment func(string) (string, bool)) (a Account, ok bool, err error) {
	if environment == nil {
		environment = os.LookupEnv
	}
	path, _ := environment(EnvFile)
	if path == "" {
		return Account{}, false, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: what the operator names
	if errors.Is(err, fs.ErrNotExist) {
		return Account{}, false, fmt.Errorf("%s: %s isn't there: the server of mode %s makes another one at each start, and prints the line that names it", EnvFile, path, Mode)
	}
	if err != nil {
		return Account{}, false, fmt.Errorf("%s: %w", EnvFile, err)
	}
	if json.Unmarshal(text, &a) != nil || a.URL == "" { // whose text may be quoted in the error
		return Account{}, false, fmt.Errorf("%s: %s isn't what the server of mode %s writes", EnvFile, path, Mode)
	}
	return a, true, nil
}
