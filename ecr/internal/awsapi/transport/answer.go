package transport

import (
	"io"
)

// pieces is an answer that was read, in pieces: growing one buffer would take several times its size.
type pieces struct {
	io.Closer
	list  [][]byte
	small [1][]byte // for what fits into one
	fits  bool
	err   error // in place of its end
}

func readAnswer(body io.ReadCloser, b bounds) *pieces {
	p := &pieces{Closer: body}
	p.list = p.small[:0]
	check := shape{bounds: b}
	var err error
	for size := 4 << 10; err == nil; size = min(2*size, 64<<10) {
		piece, n := make([]byte, min(size, b.size+1)), 0 // one more than there can be shows
		for n < len(piece) && err == nil {
			var read int
			read, err = body.Read(piece[n:])
			n += read
		}
		if b.size -= n; b.size < 0 || !check.add(piece[:n]) {
			return p
		}
		p.list = append(p.list, piece[:n])
	}
	p.fits = true
	if err != io.EOF {
		p.err = err
	}
	return p
}

func (p *pieces) bytes() []byte {
	var all []byte
	for _, piece := range p.list {
		all = append(all, piece...)
	}
	return all
}

func (p *pieces) Read(b []byte) (int, error) {
	for len(p.list) > 0 && len(p.list[0]) == 0 {
		p.list = p.list[1:]
	}
	if len(p.list) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := copy(b, p.list[0])
	p.list[0] = p.list[0][n:]
	return n, nil
}
