package methods

func (s *server) log() {}
