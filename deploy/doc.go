// Package deploy is what the reference server is deployed with: a container image (package image makes it), a Helm chart, a systemd unit and a Compose
// file. It has no code but their tests. docs/deploying.md says how each is used.
package deploy
