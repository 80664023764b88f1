// Package lines writes what many goroutines say, a line each, to one file or stream, in their order. What hangs there hangs nobody here: memory and time are
// bounded, and what couldn't be written is known to who asked and said later.
//
// Nothing is forced to the disk: what was written outlives the process, however that ends, and may not outlive a machine that loses its power.
package lines

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// Patience is how long one write may take.
	Patience = 2 * time.Second
	// grace is how long one may take before those who only log don't wait for it any longer.
	grace = 100 * time.Millisecond
	// retry is how long after a failure it is tried again, if nobody else comes.
	retry = time.Second
	// maxQueued is how many bytes wait at most; those who only log may have half.
	maxQueued = 1 << 20
	// maxWrite is how many bytes are written at once, but for a line that is longer.
	maxWrite = 32 << 10
)

var (
	// ErrStalled is returned while a write takes longer than Patience: a reader has stopped, or a disk hangs.
	ErrStalled = errors.New("a write takes too long")
	// ErrFull is returned while too much waits to be written.
	ErrFull = errors.New("too much waits to be written")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("it is closed")
)

// Missed is what couldn't be written for a while.
type Missed struct {
	Since   time.Time
	Records uint64 // of Put
	Log     uint64 // of Lossy
	Err     error  // why, as it was last
}

// Stats are a writer's numbers since it was made.
type Stats struct {
	Written, Failed uint64 // lines of Put
	Dropped         uint64 // lines of Lossy
}

// Writer writes lines. It is safe for concurrent use. It has a goroutine until Close.
type Writer struct {
	out      io.Writer
	say      func(Missed) []byte
	wake     chan struct{}
	closing  chan struct{}
	ended    chan struct{}
	watchdog *time.Timer
	entries  sync.Pool // used again, but for lossy ones, for which nobody may wait when they are answered

	mu      sync.Mutex
	queue   []*entry
	queued  int
	batch   []*entry // is being written; nil once nobody waits for it
	writing bool
	slow    bool // the write takes longer than grace
	stalled bool // than Patience
	closed  bool
	failure error // of the last write
	missed  Missed
	stats   Stats

	torn bool // the last line written isn't whole. The goroutine's own, as are those below
	buf  []byte
}

type entry struct {
	line  []byte
	end   int // in what is written
	lossy bool
	done  chan error
}

func newEntry() *entry { return &entry{done: make(chan error, 1)} }

func (e *entry) answer(err error) {
	select {
	case e.done <- err:
	default: // a lossy one's, who was let go before
	}
}

// New returns a writer to out, whose Write is called by one goroutine alone. say makes the line that tells what was missed, once writing works again.
func New(out io.Writer, say func(Missed) []byte) *Writer {
	w := &Writer{out: out, say: say, wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{})}
	w.entries.New = func() any { return newEntry() }
	w.watchdog = time.AfterFunc(time.Hour, w.late)
	w.watchdog.Stop()
	go w.run()
	return w
}

// Put writes a line, which ends in a newline, and returns once it is written, or can't be. An error says that nobody can count on it: it may come late.
func (w *Writer) Put(line []byte) error { return w.put(line, false) }

// Lossy writes likewise, but waits a moment at most, and never fails: what can't be written is dropped, counted, and said later.
func (w *Writer) Lossy() io.Writer { return lossy{w} }

type lossy struct{ w *Writer }

func (l lossy) Write(line []byte) (int, error) {
	_ = l.w.put(line, true)
	return len(line), nil
}

func (w *Writer) put(line []byte, lossy bool) error {
	w.mu.Lock()
	room, wait := maxQueued, true
	if lossy {
		room, wait = maxQueued/2, !w.slow
	}
	var err error
	switch {
	case w.closed:
		err = ErrClosed
	case w.stalled && !lossy:
		err = ErrStalled
	case w.queued+len(line) > room:
		err = ErrFull
	}
	if err != nil {
		w.missing(lossy, err)
		w.mu.Unlock()
		return err
	}
	var e *entry
	if lossy {
		e = newEntry()
		e.lossy = true
	} else {
		e = w.entries.Get().(*entry)
	}
	e.line = append(e.line[:0], line...)
	w.queue, w.queued = append(w.queue, e), w.queued+len(line)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	if !wait {
		return nil
	}
	err = <-e.done
	if !lossy {
		w.entries.Put(e)
	}
	return err
}

// missing counts a line that isn't written.
func (w *Writer) missing(lossy bool, err error) {
	if w.missed.Since.IsZero() {
		w.missed.Since = time.Now()
	}
	w.missed.Err = err
	if lossy {
		w.missed.Log++
		w.stats.Dropped++
	} else {
		w.missed.Records++
		w.stats.Failed++
	}
}

// Failing returns why nothing can be written at present, or nil.
func (w *Writer) Failing() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalled {
		return ErrStalled
	}
	return w.failure
}

// Stats returns the numbers.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// Close writes what waits, for as long as patience, and ends the goroutine, unless it hangs in a write. Nothing can be written any more.
func (w *Writer) Close(patience time.Duration) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.closing)
	}
	w.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.ended:
		return w.Failing()
	case <-late.C:
		return ErrStalled
	}
}

func (w *Writer) run() {
	defer close(w.ended)
	for {
		switch more, again := w.next(); {
		case more:
			w.write()
			continue
		case again:
			select {
			case <-w.wake:
			case <-time.After(retry):
				w.write() // what was missed
			case <-w.closing:
				w.write()
				if more, _ := w.next(); !more {
					return
				}
			}
		default:
			select {
			case <-w.wake:
			case <-w.closing:
				if more, _ := w.next(); !more {
					return
				}
			}
		}
	}
}

// next says whether lines wait, and else whether it has to be said that some were missed.
func (w *Writer) next() (more, again bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue) > 0, !w.missed.Since.IsZero()
}

// write writes what waits, or as much as is written at once.
func (w *Writer) write() {
	w.buf = w.buf[:0]
	if w.torn {
		w.buf = append(w.buf, '\n')
	}
	w.mu.Lock()
	told := w.missed
	n := 0
	for size := 0; n < len(w.queue) && (n == 0 || size+len(w.queue[n].line) <= maxWrite); n++ {
		size += len(w.queue[n].line)
		w.queued -= len(w.queue[n].line)
	}
	w.batch = append(w.batch[:0], w.queue[:n]...)
	w.queue = append(w.queue[:0], w.queue[n:]...)
	w.mu.Unlock()
	if !told.Since.IsZero() {
		w.buf = append(w.buf, w.say(told)...)
	}
	said := len(w.buf)
	for _, e := range w.batch {
		w.buf = append(w.buf, e.line...)
		e.end = len(w.buf)
	}
	w.mu.Lock()
	w.writing = true
	w.watchdog.Reset(grace)
	w.mu.Unlock()
	written, err := w.out.Write(w.buf)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchdog.Stop()
	w.writing, w.slow, w.stalled, w.failure = false, false, false, err
	if !told.Since.IsZero() && written >= said {
		w.missed.Records, w.missed.Log = w.missed.Records-told.Records, w.missed.Log-told.Log
		if w.missed.Records == 0 && w.missed.Log == 0 {
			w.missed = Missed{}
		}
	}
	if written > 0 {
		w.torn = w.buf[written-1] != '\n'
	}
	for _, e := range w.batch {
		switch {
		case e.end <= written:
			if !e.lossy {
				w.stats.Written++
			}
			e.answer(nil)
		default:
			w.missing(e.lossy, err)
			e.answer(err)
		}
	}
	w.batch = w.batch[:0]
	if cap(w.buf) > 2*maxWrite {
		w.buf = nil
	}
}

// late runs when a write takes long. Then those who only log go on, and later those who wait for a record.
func (w *Writer) late() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writing {
		return
	}
	if !w.slow {
		w.slow = true
		w.watchdog.Reset(Patience - grace)
		for _, e := range slices.Concat(w.batch, w.queue) {
			if e.lossy {
				e.answer(nil)
			}
		}
		return
	}
	w.stalled = true
	giveUp := func(e *entry) bool {
		if e.lossy {
			return false
		}
		w.missing(false, ErrStalled)
		e.answer(ErrStalled)
		return true
	}
	w.batch = slices.DeleteFunc(w.batch, giveUp) // it is written, perhaps; nobody counts on it
	w.queue = slices.DeleteFunc(w.queue, func(e *entry) bool {
		size := len(e.line) // before it is somebody else's
		if !giveUp(e) {
			return false
		}
		w.queued -= size
		return true
	})
}
