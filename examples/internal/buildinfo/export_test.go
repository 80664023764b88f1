package buildinfo

// LineOf is Line for another build.
var LineOf = line
