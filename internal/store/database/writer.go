package database

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
)

// writer lets the operations of this process write to SQLite over one
// connection, one group after the other. A commit has to reach the disk, which
// takes longer than everything else, so operations that arrive while one is
// under way wait and then share the next commit.
//
// There is no goroutine behind it: the operation at the head of the queue leads,
// that is, it runs the whole group, and then passes the lead on. A lone writer
// so pays for no change of goroutine, which would cost more than its statements.
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

	mu     sync.Mutex
	queue  []*job // waiting, in order
	led    bool   // somebody leads; he alone uses conn and group
	closed bool
	idle   sync.Cond // signalled when nobody leads any more

	group []*job
}

// maxGroup bounds how many operations one commit holds, and so how long the
// first of them waits.
const maxGroup = 128

// job is one operation.
type job struct {
	op func(Tx) error
	// lone: a single statement, which needs no transaction when nothing
	// shares it.
	lone  bool
	state atomic.Int32
	err   error         // of the operation; written before wake
	wake  chan struct{} // nil for whoever leads at once
}

// The states of a job. Who leaves jobWaiting first, its caller (by giving up) or
// the leader, decides.
const (
	jobWaiting   = iota
	jobTaken     // runs in somebody's group
	jobLeads     // its caller has to lead the next group
	jobCancelled // its caller has gone
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
	w := &writer{db: db, conn: conn, stmts: &stmts{prepare: conn.PrepareContext}}
	w.idle.L = &w.mu
	return w, nil
}

// do runs op in the next group and returns when it is on the disk.
func (w *writer) do(ctx context.Context, op func(Tx) error, lone bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{op: op, lone: lone}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return ErrClosed
	}
	leads := !w.led
	if leads {
		w.led = true
		j.state.Store(jobLeads)
	} else {
		j.wake = make(chan struct{}, 1)
		w.queue = append(w.queue, j)
	}
	w.mu.Unlock()
	if leads {
		return w.lead(j)
	}
	return w.wait(ctx, j)
}

// wait ends when another has run the job, when it is its turn to lead, or when
// the caller gives up before either.
func (w *writer) wait(ctx context.Context, j *job) error {
	select {
	case <-j.wake:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobCancelled) {
			return ctx.Err()
		}
		<-j.wake
	}
	if j.state.Load() == jobLeads {
		return w.lead(j)
	}
	return j.err
}

// lead runs j together with what waits, and passes the lead on.
func (w *writer) lead(j *job) error {
	w.mu.Lock()
	w.group = append(w.group[:0], j)
	for len(w.queue) > 0 && len(w.group) < maxGroup {
		if next := w.pop(); next.state.CompareAndSwap(jobWaiting, jobTaken) {
			w.group = append(w.group, next)
		}
	}
	w.mu.Unlock()

	err := w.commit(w.group)
	for i, done := range w.group {
		if err != nil && done.err == nil {
			done.err = err
		}
		if i > 0 {
			done.wake <- struct{}{}
		}
	}
	clear(w.group)
	w.passOn()
	return j.err
}

// passOn makes the first who still waits the leader.
func (w *writer) passOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 {
		if next := w.pop(); next.state.CompareAndSwap(jobWaiting, jobLeads) {
			next.wake <- struct{}{}
			return
		}
	}
	w.led = false
	w.idle.Broadcast()
}

// pop takes the first job; the caller holds mu.
func (w *writer) pop() *job {
	j := w.queue[0]
	w.queue[0] = nil
	if w.queue = w.queue[1:]; len(w.queue) == 0 {
		w.queue = nil
	}
	return j
}

// close lets the waiting operations finish.
func (w *writer) close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	for w.led {
		w.idle.Wait()
	}
	w.mu.Unlock()
	w.stmts.close()
	_ = w.conn.Close() // the pool's Close has the error
	return w.db.Close()
}

// commit runs a group in one transaction. Its error is that of the whole group;
// an operation's own is in job.err. IMMEDIATE, because a transaction that reads
// first and writes later cannot wait for another process's write in between.
func (w *writer) commit(group []*job) error {
	if len(group) == 1 && group[0].lone { // SQLite commits a statement by itself
		group[0].err = protect(w.stmts, group[0].op)
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
