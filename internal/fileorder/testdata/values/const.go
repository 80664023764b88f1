// Package values has a cycle of a constant, a variable and a generic type's field.
package values

const size = 3

var total = list[int]{}.first
