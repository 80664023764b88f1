// Package app is the programs server and operator as functions, for whoever has provider types of their own, or a service that embeds
// this library: each becomes a program by a main of a few lines.
//
//	func main() {
//		factory, err := registry.NewFactory(append(app.Builders(), vending.Builder())...)
//		if err != nil {
//			log.Fatal(err)
//		}
//		os.Exit(app.Server(factory)) // or app.Operator
//	}
//
// Both read the configuration that README describes, in which "type" is one of the factory's. A service passes [WithCallers] to have its
// own callers served, and [WithLoader] to say where its configuration is.
package app
