// Kubelet-lookup is a kubelet's look-up of credentials, of Kubernetes' own source: for each pod's image on standard input, as JSON, it prints what the
// kubelet would pull with. .ci/run builds it for the test of examples/kubelet-credential-rise.
//
//	kubelet-lookup CREDENTIAL-PROVIDER-CONFIG BIN-DIR
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/credentialprovider/plugin"
	"k8s.io/kubernetes/pkg/util/parsers"
)

type asked struct{ Namespace, ServiceAccount, Pod, Token, Image string }

type found struct{ Username, Password string }

func main() {
	if len(os.Args) != 3 {
		log.Fatal("kubelet-lookup CREDENTIAL-PROVIDER-CONFIG BIN-DIR")
	}
	var a asked
	token := func(namespace, name string, r *authenticationv1.TokenRequest) (*authenticationv1.TokenRequest, error) {
		if namespace != a.Namespace || name != a.ServiceAccount || r.Spec.BoundObjectRef.Name != a.Pod || len(r.Spec.Audiences) != 1 {
			return nil, fmt.Errorf("a token for %s/%s of %+v", namespace, name, r.Spec)
		}
		r.Status.Token = a.Token
		return r, nil
	}
	account := func(namespace, name string) (*v1.ServiceAccount, error) {
		return &v1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name)}}, nil
	}
	if err := plugin.RegisterCredentialProviderPlugins(os.Args[1], os.Args[2], token, account); err != nil {
		log.Fatal(err)
	}
	decoder, encoder := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for decoder.More() {
		if err := decoder.Decode(&a); err != nil {
			log.Fatal(err)
		}
		repository, _, _, err := parsers.ParseImageName(a.Image)
		if err != nil {
			log.Fatal(err)
		}
		all := []found{}
		credentials, _ := plugin.NewExternalCredentialProviderDockerKeyring(a.Namespace, a.Pod, "uid-of-"+a.Pod, a.ServiceAccount).Lookup(repository)
		for _, c := range credentials {
			all = append(all, found{c.Username, c.Password})
		}
		if err := encoder.Encode(all); err != nil {
			log.Fatal(err)
		}
	}
}
