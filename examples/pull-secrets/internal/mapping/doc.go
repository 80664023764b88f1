// Package mapping says which namespace is mapped to which project: by the namespaces' label, where the platform alone sets it, or by a file.
package mapping
