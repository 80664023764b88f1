// Package probe is what diagnoses have in common: running ordered checks within a deadline, and asking a host over HTTP in
// a way that tells apart where it fails.
package probe
