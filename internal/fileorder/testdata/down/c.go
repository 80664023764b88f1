package down

const width = 1
