package database_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"idp/internal/store/database"
	"idp/internal/store/storetest"
)

// open opens a database, with the tables of idp.
func open(t *testing.T, url string) database.Database {
	t.Helper()
	db, err := database.Open(t.Context(), url, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func must(t *testing.T, err error) {
	t.Helper()
	want(t, err, nil)
}

func want(t *testing.T, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("%v, want %v", err, wanted)
	}
}

// hold keeps SQLite's writer in an operation until release, so that what is
// started in between becomes one group.
func hold(t *testing.T, w database.Database) (release func()) {
	t.Helper()
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		left <- w.Write(context.Background(), func(database.Tx) error {
			close(entered)
			<-leave
			return nil
		})
	}()
	<-entered
	return func() {
		close(leave)
		must(t, <-left)
	}
}

// waiting waits until n operations wait for the writer.
func waiting(w database.Database, n int) {
	for database.Waiting(w) < n {
		runtime.Gosched()
	}
}

func add(name string) func(database.Tx) error {
	return func(t database.Tx) error {
		_, err := t.Exec(`INSERT INTO settings (name, value) VALUES ($1, $2)`, name, []byte(name))
		return err
	}
}

// group runs operations as one group and returns their errors in order.
func group(t *testing.T, w database.Database, ops ...func(database.Tx) error) []error {
	t.Helper()
	release := hold(t, w)
	errs := make([]error, len(ops))
	var all sync.WaitGroup
	for i, op := range ops {
		all.Go(func() { errs[i] = w.Write(context.Background(), op) })
		waiting(w, i+1)
	}
	release()
	all.Wait()
	return errs
}

func stored(t *testing.T, w database.Database, name string) bool {
	t.Helper()
	var value []byte
	err := w.Read(context.Background(), func(t database.Tx) error {
		return t.QueryRow([]any{&value}, `SELECT value FROM settings WHERE name = $1`, name)
	})
	if err != nil && !errors.Is(err, database.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

func TestAnOperationThatFailsOrPanicsTakesBackOnlyItsOwn(t *testing.T) {
	w := open(t, storetest.SQLite(t))
	failed := errors.New("failed")
	errs := group(t, w, add("a"),
		func(tx database.Tx) error { return errors.Join(add("b")(tx), failed) },
		func(tx database.Tx) error {
			must(t, add("c")(tx))
			panic("c")
		},
		func(tx database.Tx) error {
			must(t, add("d")(tx))
			return tx.Query(func(func(...any) error) error { panic("with rows open") }, `SELECT name FROM settings`)
		},
		add("e"),
		add("e"), // breaks the primary key
	)
	if errs[0] != nil || !errors.Is(errs[1], failed) || errs[2] == nil || errs[3] == nil || errs[4] != nil || errs[5] == nil {
		t.Errorf("errors: %v", errs)
	}
	if !strings.Contains(errs[2].Error(), "panic") {
		t.Errorf("panic became %v", errs[2])
	}
	for name, there := range map[string]bool{"a": true, "b": false, "c": false, "d": false, "e": true} {
		if stored(t, w, name) != there {
			t.Errorf("%s: stored = %v", name, !there)
		}
	}
}

func TestAnOperationAloneIsRolledBackToo(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := open(t, url)
		err := w.Write(t.Context(), func(tx database.Tx) error {
			must(t, add("a")(tx))
			panic("alone")
		})
		if err == nil || stored(t, w, "a") {
			t.Errorf("error %v, stored %v", err, stored(t, w, "a"))
		}
		must(t, w.Write(t.Context(), add("a")))
	})
}

// A deferred foreign key is checked by COMMIT.
// expectNothing: no operation of a group with a and b was acknowledged, nothing
// of it is stored, and the writer goes on.
func expectNothing(t *testing.T, w database.Database, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err == nil {
			t.Errorf("operation %d was acknowledged", i)
		}
	}
	if stored(t, w, "a") || stored(t, w, "b") {
		t.Error("half a group is stored")
	}
	must(t, w.Write(t.Context(), add("c")))
}

func TestWhenCommitFailsNobodyIsToldThatItWorked(t *testing.T) {
	w := open(t, storetest.SQLite(t))
	errs := group(t, w, add("a"), func(tx database.Tx) error {
		if _, err := tx.Exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO identities (source, key, user_id, created_at) VALUES ('s', 'k', 'nobody', 0)`)
		return err
	}, add("b"))
	expectNothing(t, w, errs)
}

// An operation can end the whole transaction (SQLite does so by itself when the
// disk is full): nothing of the group may count then.
func TestWhenTheTransactionIsLostNobodyIsToldThatItWorked(t *testing.T) {
	w := open(t, storetest.SQLite(t))
	errs := group(t, w, add("a"), func(tx database.Tx) error {
		_, err := tx.Exec(`ROLLBACK`)
		return errors.Join(err, errors.New("disk full"))
	}, add("b"))
	expectNothing(t, w, errs)
}

func TestACallerWhoGivesUpDoesNotDisturbTheGroup(t *testing.T) {
	w := open(t, storetest.SQLite(t))
	release := hold(t, w)
	gone, goAway := context.WithCancel(t.Context())
	inside, leave := context.WithCancel(t.Context())
	callers := []func() error{
		func() error { return w.Write(t.Context(), add("before")) },
		func() error { return w.Write(gone, add("gone")) }, // gives up while it waits
		func() error { // gives up in the middle
			return w.Write(inside, func(tx database.Tx) error {
				leave()
				return add("inside")(tx)
			})
		},
		func() error { return w.Write(t.Context(), add("after")) },
	}
	results := make([]chan error, len(callers))
	for i, call := range callers {
		results[i] = make(chan error, 1)
		go func() { results[i] <- call() }()
		waiting(w, i+1)
	}
	goAway()
	want(t, <-results[1], context.Canceled) // at once, while the writer is held
	release()
	for _, i := range []int{0, 2, 3} {
		must(t, <-results[i])
	}
	for name, there := range map[string]bool{"before": true, "gone": false, "inside": true, "after": true} {
		if stored(t, w, name) != there {
			t.Errorf("%s: stored = %v", name, !there)
		}
	}
}

func TestCloseFinishesWhatWaitsAndRefusesTheRest(t *testing.T) {
	url := storetest.SQLite(t)
	w := open(t, url)
	release := hold(t, w)
	var all sync.WaitGroup
	var err error
	all.Go(func() { err = w.Write(context.Background(), add("a")) })
	waiting(w, 1)
	closed := make(chan error)
	go func() { closed <- w.Close() }()
	release()
	must(t, <-closed)
	all.Wait()
	must(t, err)
	want(t, w.Write(t.Context(), add("b")), database.ErrClosed)
	if !stored(t, open(t, url), "a") {
		t.Error("what waited is not stored")
	}
}

// PostgreSQL ends one of two transactions that wait for each other.
func TestADeadlockIsTriedAgain(t *testing.T) {
	w := open(t, storetest.Postgres(t))
	for _, name := range []string{"a", "b"} {
		must(t, w.Write(t.Context(), add(name)))
	}
	var both sync.WaitGroup
	both.Add(2)
	touch := func(tx database.Tx, name string) error {
		_, err := tx.Exec(`UPDATE settings SET value = $1 WHERE name = $2`, []byte("x"), name)
		return err
	}
	errs, tries := make([]error, 2), make([]int, 2)
	var all sync.WaitGroup
	for i, names := range [][]string{{"a", "b"}, {"b", "a"}} {
		all.Go(func() {
			errs[i] = w.Write(t.Context(), func(tx database.Tx) error {
				must(t, touch(tx, names[0]))
				if tries[i]++; tries[i] == 1 {
					both.Done()
					both.Wait()
				}
				return touch(tx, names[1])
			})
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
	if tries[0]+tries[1] < 3 {
		t.Errorf("tries %v: there was no deadlock", tries)
	}
}
