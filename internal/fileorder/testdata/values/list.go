package values

type list[T any] struct {
	items [size]T
	first T
}
