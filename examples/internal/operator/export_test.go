package operator

// Line is a finding as diagnose prints it.
var Line = line
