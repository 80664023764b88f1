package endpoint

import (
	"fmt"
	"runtime"
)

type sentinel string

func (s sentinel) Error() string { return string(s) }

// recovered makes an error of a panic's value, which may hold anything: only the runtime's own are shown.
func recovered(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic of type %T", v)
}
