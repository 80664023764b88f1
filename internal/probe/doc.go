// Package probe asks a host over HTTP for a diagnosis, in a way that tells apart where it fails, and explains failures.
package probe
