package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"sync"
	"syscall"
)

// shipper reads a replica's audit log from a named pipe, as one that ships it elsewhere does, and counts what was handed out. It outlives the replica's
// processes: what one that is killed has written is still there.
type shipper struct {
	pipe *os.File
	gate sync.Mutex // who holds it stalls the reader

	mu     sync.Mutex
	issued map[string]int // by project
	bad    int            // lines that are no records
	missed int            // lines that say that some are missing
}

func newShipper(path string) (*shipper, error) {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return nil, err
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // of our own folder; both, so that there is no end when a writer goes
	if err != nil {
		return nil, err
	}
	s := &shipper{pipe: pipe, issued: map[string]int{}}
	go s.read()
	return s, nil
}

func (s *shipper) read() {
	r := bufio.NewReaderSize(gated{s}, 4<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		s.take(bytes.TrimSpace(line))
	}
}

// gated doesn't read while the gate is shut.
type gated struct{ *shipper }

func (g gated) Read(p []byte) (int, error) {
	g.gate.Lock()
	g.gate.Unlock() //nolint:staticcheck // nothing is done in between: it was open
	return g.pipe.Read(p)
}

var _ io.Reader = gated{}

func (s *shipper) take(line []byte) {
	var record struct {
		Msg, Outcome, Project string
	}
	if len(line) == 0 {
		return
	}
	err := json.Unmarshal(line, &record)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.bad++
	case record.Msg == "lines are missing here: they couldn't be written":
		s.missed++
	case record.Outcome == "issued":
		s.issued[record.Project]++
	}
}

// records are how many there are of a project's credentials.
func (s *shipper) records(project string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued[project]
}
