package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// roots returns the authorities as PEM: file's, or Mozilla's. Those that Mozilla trusts for older certificates alone are left out, as no file can say that.
func roots(file string) ([]byte, error) {
	if file != "" {
		text, err := os.ReadFile(file) //nolint:gosec // what the caller names
		if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
			err = fmt.Errorf("-roots: %s holds no certificate in PEM", file)
		}
		return text, err
	}
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}
