package metrics

// namespace is what every name begins with.
const namespace = "rise_registry"
