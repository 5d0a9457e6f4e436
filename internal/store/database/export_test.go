package database

// Waiting counts the operations that wait for SQLite's writer.
func Waiting(db Database) int {
	w := db.(*sqlite).writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}
