package scrub

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
)

// Unanswered returns why there was no answer to a request that failed with err. What HTTP makes an error of may quote what was received,
// as the text of a proxy's status; before that, nothing was sent that could come back.
func Unanswered(err error) string {
	var sent *url.Error
	if !errors.As(err, &sent) {
		return Said(err.Error(), nil)
	}
	if strings.Contains(sent.Err.Error(), "malformed") {
		return "the answer isn't HTTP"
	}
	for _, before := range []any{new(*net.OpError), new(*net.DNSError), new(*tls.CertificateVerificationError), new(x509.UnknownAuthorityError),
		new(x509.HostnameError), new(x509.CertificateInvalidError), new(tls.RecordHeaderError), new(tls.AlertError)} {
		if errors.As(sent.Err, before) {
			return sent.Err.Error()
		}
	}
	return Said(sent.Err.Error(), nil)
}
