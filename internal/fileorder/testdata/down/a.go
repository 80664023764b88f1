// Package down has an order, from its top to its bottom.
package down

func top() int { return middle{}.bottom() + width }
