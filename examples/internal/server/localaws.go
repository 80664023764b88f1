package server

import (
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/examples/internal/ecrlocal"
)

// localAWS is the double of mode ecr-local: an account with the roles of a broker and two projects' repositories.
type localAWS struct {
	ecrlocal.Account
	server *ecrtest.Server
	file   string // for the operator; empty: there is none
}

func newLocalAWS() *localAWS {
	server := ecrtest.NewServer(ecrtest.Config{})
	deployment := server.Setup(ecrtest.SetupOptions{SessionTags: true})
	for _, project := range []string{"hello", "other"} {
		server.CreateRepository(deployment.Repository(project))
	}
	return &localAWS{server: server, Account: ecrlocal.Account{
		URL: server.URL, PushRoleARN: deployment.PushRoleARN, AccessKeyID: deployment.ControllerUser.ID, SecretAccessKey: deployment.ControllerUser.Secret,
	}}
}

// share writes the file by which the operator reaches it, as the registry of this host.
func (l *localAWS) share(registryHost string) (err error) {
	account := l.Account
	account.RegistryHost = registryHost
	l.file, err = account.Write()
	return err
}

// close ends the double, and removes the file.
func (l *localAWS) close() error {
	l.server.Close()
	if l.file == "" {
		return nil
	}
	return ecrlocal.Remove(l.file)
}
