// A module of its own: what makes images reaches neither the library's importers nor the programs that it packs. It isn't released: it is run in a clone.
module github.com/rise-deploy/rise-registry-go/deploy

go 1.26.0

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/rise-deploy/rise-registry-go v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d
)

require (
	github.com/docker/cli v29.7.2+incompatible // indirect
	github.com/docker/docker-credential-helpers v0.9.3 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/klauspost/compress v1.20.1 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/sirupsen/logrus v1.9.4 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)

replace github.com/rise-deploy/rise-registry-go => ../
