package lines

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// File appends to a file by its name: once that names another file, as after a rotation, it is that one, and a file that isn't there is made. A named pipe
// works too; without a reader nothing can be written to it. Write is for one goroutine at a time.
type File struct {
	path string
	torn bool // what is opened doesn't end in a whole line

	mu     sync.Mutex
	file   *os.File
	info   fs.FileInfo
	closed bool
}

// OpenFile opens the file, or makes it. A named pipe that has no reader yet is no error.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	if _, err := f.follow(); err != nil && !errors.Is(err, syscall.ENXIO) {
		return nil, err
	}
	return f, nil
}

// Write implements io.Writer.
func (f *File) Write(p []byte) (int, error) {
	file, err := f.follow()
	if err != nil {
		return 0, err
	}
	if f.torn { // by a process before this one, that was ended while it wrote
		if _, err := file.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		f.torn = false
	}
	return file.Write(p) // a pipe's reader that went away has left what it didn't read to the next one: the pipe stays open
}

// follow opens what the name names.
func (f *File) follow() (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	if f.file != nil {
		if info, err := os.Stat(f.path); err == nil && os.SameFile(info, f.info) {
			return f.file, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	// Appending, each write goes to the end, wherever somebody who copies and truncates has put that. Without O_NONBLOCK a pipe without a reader would hang here.
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if f.file != nil {
		_ = f.file.Close() // what it holds was written
	}
	f.file, f.info, f.torn = file, info, !whole(f.path, info)
	return file, nil
}

// whole reports whether what is in a file ends with its last line, as far as that can be read.
func whole(path string, info fs.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return true
	}
	file, err := os.Open(path) //nolint:gosec // it is the operator's
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // read
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return err == nil && last[0] == '\n'
}

// Close closes it, for good; a write that hangs at a pipe ends.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
