package embedded

type outer struct{ inner }

func outermost() outer { return outer{} }
