package transport

// bounds are what an answer can be. Parsers make many bytes of few: what is deeper, or has more elements, isn't given to them.
type bounds struct {
	size     int // bytes, after decompression
	elements int // objects, lists and XML elements
	values   int // of objects and lists
	text     int // bytes of one JSON string
}

// maxDepth is far deeper than any answer of AWS's.
const maxDepth = 32

var (
	// A session token has up to 4,096 bytes, an authorization token a few thousand.
	smallAnswer = bounds{size: 64 << 10, elements: 1000, values: 4000, text: 64 << 10}
	// A lifecycle policy has up to 30,720 characters, tags 50 × 384, each up to six bytes in JSON.
	documentAnswer = bounds{size: 512 << 10, elements: 4000, values: 16000, text: 256 << 10}
	// A repository takes up to 2,300 bytes and eight elements; a page has a thousand.
	pageAnswer = bounds{size: 3 << 20, elements: 16000, values: 64000, text: 64 << 10}
)

// shape looks at an answer's JSON or XML, piece by piece, without making anything of it: how deep it is, and how much of it there is. It
// doesn't tell whether the answer is valid.
type shape struct {
	bounds
	format byte // '<', '{' for whatever else, 0 before its first character
	depth  int
	in     shapeState
	quote  byte // of an attribute's value
	last   byte // the character before, in XML's markup
	length int  // of a JSON string so far
}

type shapeState uint8

const (
	inContent shapeState = iota
	inString             // JSON's
	inEscape             // after a backslash in one
	inMarkup             // XML's, after its <
	inEnd                // </
	inOther              // <? and <!
)

// add reports whether the answer may go on.
func (s *shape) add(piece []byte) bool {
	for _, c := range piece {
		if s.format == 0 {
			if c == ' ' || c == '\n' || c == '\r' || c == '\t' {
				continue
			}
			if s.format = '{'; c == '<' {
				s.format = '<'
			}
		}
		if s.format == '<' {
			s.xml(c)
		} else {
			s.json(c)
		}
		if s.depth > maxDepth || s.elements < 0 || s.values < 0 {
			return false
		}
	}
	return true
}

func (s *shape) json(c byte) {
	switch s.in {
	case inEscape:
		s.in = inString
		return
	case inString:
		if s.length++; s.length > s.text {
			s.values = -1
		}
		switch c {
		case '\\':
			s.in = inEscape
		case '"':
			s.in = inContent
		}
		return
	default:
	}
	switch c {
	case '"':
		s.in, s.length = inString, 0
	case '{', '[':
		s.depth++
		s.elements--
	case '}', ']':
		s.depth--
	case ',', ':':
		s.values--
	}
}

func (s *shape) xml(c byte) {
	switch {
	case s.in == inContent:
		if c == '<' {
			s.in, s.last = inMarkup, c
		}
		return
	case s.quote != 0:
		if c == s.quote {
			s.quote = 0
		}
	case s.last == '<' && c == '/':
		s.in = inEnd
	case s.last == '<' && (c == '?' || c == '!'):
		s.in = inOther
		s.values--
	case s.in != inEnd && (c == '"' || c == '\''):
		s.quote = c
		s.values--
	case c == '>':
		switch s.in {
		case inEnd:
			s.depth--
		case inMarkup:
			if s.elements--; s.last != '/' {
				s.depth++
			}
		default:
		}
		s.in = inContent
	}
	s.last = c
}
