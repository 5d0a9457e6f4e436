package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
)

// writer is the one goroutine of this process that writes to SQLite. A commit
// has to reach the disk, which takes longer than everything else, so operations
// that arrive while one is under way wait and then share the next commit.
//
// Each operation of a group is in a savepoint of its own, and one that fails or
// panics takes back only its own work. When COMMIT fails, every operation of
// the group gets the error. Nothing a caller does in the middle of a group may
// disturb the others, so statements run under the writer's context, and the
// caller's is looked at only before his operation starts.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts *stmts
	jobs  chan *job
	done  chan struct{} // closed when the goroutine has ended

	mu     sync.RWMutex // held for reading while sending to jobs
	closed bool
}

// maxGroup bounds how many operations one commit holds, and so how long the
// first of them waits.
const maxGroup = 128

// job is one waiting operation.
type job struct {
	op     func(tx) error
	state  atomic.Int32 // jobWaiting, then jobRunning or jobCancelled
	err    error        // of the operation alone
	result chan error
}

const (
	jobWaiting = iota
	jobRunning
	jobCancelled
)

func openWriter(ctx context.Context, dsn string) (*writer, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	w := &writer{
		db: db, conn: conn, stmts: &stmts{prepare: conn.PrepareContext},
		jobs: make(chan *job, maxGroup), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// do runs op in the next group and returns when it is on the disk.
func (w *writer) do(ctx context.Context, op func(tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{op: op, result: make(chan error, 1)}
	if err := w.send(ctx, j); err != nil {
		return err
	}
	select {
	case err := <-j.result:
		return err
	case <-ctx.Done():
	}
	if j.state.CompareAndSwap(jobWaiting, jobCancelled) {
		return ctx.Err()
	}
	return <-j.result
}

func (w *writer) send(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets the waiting operations finish.
func (w *writer) close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.jobs)
	w.mu.Unlock()
	<-w.done
	w.stmts.close()
	_ = w.conn.Close()
	return w.db.Close()
}

func (w *writer) run() {
	defer close(w.done)
	group := make([]*job, 0, maxGroup)
	for first := range w.jobs {
		group = w.collect(append(group[:0], first))
		err := w.commit(group)
		for i, j := range group {
			if err != nil && j.err == nil {
				j.err = err
			}
			j.result <- j.err
			group[i] = nil
		}
	}
}

// collect adds what waits already, and starts the operations still wanted.
func (w *writer) collect(group []*job) []*job {
	for len(group) < maxGroup {
		select {
		case j, ok := <-w.jobs:
			if !ok {
				return started(group)
			}
			group = append(group, j)
			continue
		default:
		}
		break
	}
	return started(group)
}

func started(group []*job) []*job {
	kept := group[:0]
	for _, j := range group {
		if j.state.CompareAndSwap(jobWaiting, jobRunning) {
			kept = append(kept, j)
		}
	}
	return kept
}

// commit runs a group in one transaction. Its error is that of the whole group;
// an operation's own is in job.err. IMMEDIATE, because a transaction that reads
// first and writes later cannot wait for another process's write in between.
func (w *writer) commit(group []*job) error {
	if len(group) == 0 {
		return nil
	}
	if err := w.control("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	good, err := w.apply(group)
	if err == nil && good > 0 {
		if err = w.control("COMMIT"); err == nil {
			return nil
		}
	}
	// Without this the connection would stay in the transaction. SQLite has
	// rolled back by itself after some errors, which makes this one fail.
	_ = w.control("ROLLBACK")
	return err
}

// apply runs the operations and counts those that succeeded.
func (w *writer) apply(group []*job) (good int, err error) {
	if len(group) == 1 { // the transaction is savepoint enough
		if group[0].err = protect(w.stmts, group[0].op); group[0].err == nil {
			good = 1
		}
		return good, nil
	}
	for _, j := range group {
		if err := w.control("SAVEPOINT op"); err != nil {
			return 0, err
		}
		if j.err = protect(w.stmts, j.op); j.err == nil {
			good++
		} else if err := w.control("ROLLBACK TO op"); err != nil {
			return 0, fmt.Errorf("the transaction was lost to %w", j.err)
		}
		if err := w.control("RELEASE op"); err != nil {
			return 0, err
		}
	}
	return good, nil
}

func (w *writer) control(statement string) error {
	st, err := w.stmts.get(statement)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background())
	return err
}
