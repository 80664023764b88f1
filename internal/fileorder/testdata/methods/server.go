package methods

type server struct{ open int }

func (s *server) serve() {
	s.log()
	conn{s}.handle()
}
