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
