package store_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"idp/internal/store"
	"idp/internal/store/database"
	"idp/internal/store/storetest"
)

// TestMain makes the test binary the other process of some tests.
func TestMain(m *testing.M) {
	url := os.Getenv("STORE_CHILD_URL")
	if url == "" {
		os.Exit(m.Run())
	}
	if err := child(url, os.Getenv("STORE_CHILD")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(url, what string) error {
	s, err := store.Open(context.Background(), store.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if what == "write" {
		writeForEver(s)
	}
	return s.Close()
}

func startChild(t *testing.T, url, what string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CHILD_URL="+url, "STORE_CHILD="+what)
	out, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Stderr = cmd.Stdout
	must(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// writeForEver says each number when it is acknowledged.
func writeForEver(s *store.Store) {
	var next atomic.Int64
	var out sync.Mutex
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for {
				n := next.Add(1)
				if _, err := s.SeenOnce(context.Background(), store.UseProof, number(n), time.Now().Add(time.Hour)); err != nil {
					return
				}
				out.Lock()
				fmt.Println(n)
				out.Unlock()
			}
		})
	}
	all.Wait()
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	url := storetest.SQLite(t)
	for range 3 {
		cmd, lines := startChild(t, url, "write")
		var acknowledged []int64
		for lines.Scan() {
			var n int64
			if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
				break // half a line: not acknowledged
			}
			if acknowledged = append(acknowledged, n); len(acknowledged) == 300 {
				must(t, cmd.Process.Signal(syscall.SIGKILL))
			}
		}
		_ = cmd.Wait() // killed
		s := storetest.Open(t, store.Config{URL: url})
		if len(acknowledged) < 300 {
			t.Fatalf("only %d writes: %s", len(acknowledged), lines.Text())
		}
		for _, n := range acknowledged {
			first, err := s.SeenOnce(t.Context(), store.UseProof, number(n), time.Now().Add(time.Hour))
			if err != nil || first {
				t.Fatalf("%d was acknowledged and is lost (%v)", n, err)
			}
		}
		must(t, s.Write(t.Context(), func(tx store.Tx) error {
			var verdict string
			err := tx.QueryRow([]any{&verdict}, `PRAGMA integrity_check`)
			if verdict != "ok" {
				t.Errorf("integrity_check: %s", verdict)
			}
			_, errDelete := tx.Exec(`DELETE FROM replays`)
			return errors.Join(err, errDelete)
		}))
	}
}

func TestNodesThatStartAtOnceMigrateOnce(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		var children []*exec.Cmd
		var says []*bufio.Scanner
		for range 6 {
			cmd, out := startChild(t, url, "open")
			children, says = append(children, cmd), append(says, out)
		}
		for i, cmd := range children {
			var said strings.Builder
			for says[i].Scan() {
				said.WriteString(says[i].Text() + "\n")
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, said.String())
			}
		}
		s := storetest.Open(t, store.Config{URL: url})
		empty, err := s.Empty(t.Context())
		if err != nil || !empty {
			t.Errorf("Empty = %v, %v", empty, err)
		}
	})
}

func TestAnotherProcessMayWriteTheSameFile(t *testing.T) {
	url := storetest.SQLite(t)
	s := storetest.Open(t, store.Config{URL: url})
	cmd, lines := startChild(t, url, "write")
	for i := range int64(300) {
		if !lines.Scan() {
			t.Fatal("the other process stopped")
		}
		if _, err := s.SeenOnce(t.Context(), store.UseProof, number(-i), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
}

func TestABinaryThatIsTooOldRefusesToStart(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		s := storetest.Open(t, store.Config{URL: url})
		raise := func(statement string, args ...any) {
			t.Helper()
			must(t, s.Write(t.Context(), func(tx store.Tx) error {
				_, err := tx.Exec(statement, args...)
				return err
			}))
		}
		raise(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, TRUE)`)
		storetest.Open(t, store.Config{URL: url}) // a newer schema that still supports us
		raise(`UPDATE schema_support SET oldest_binary = $1`, int64(store.BinaryLevel+1))
		_, err := store.Open(t.Context(), store.Config{URL: url})
		want(t, err, database.ErrNewerSchema)
	})
}

func TestTheFileIsPrivate(t *testing.T) {
	url := storetest.SQLite(t)
	s := storetest.Open(t, store.Config{URL: url})
	must(t, s.PutSetting(t.Context(), "a", nil))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(strings.TrimPrefix(url, "sqlite:") + suffix)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", info.Name(), info.Mode())
		}
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	for _, url := range []string{"", "idp.db", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://%", "sqlite:/nowhere/at/all.db"} {
		if _, err := store.Open(t.Context(), store.Config{URL: url}); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
}

func TestAnyPathIsAFileName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a%41.db", "a#b.db"} {
		storetest.Open(t, store.Config{URL: "sqlite:" + dir + "/" + name})
		if _, err := os.Stat(dir + "/" + name); err != nil {
			t.Error(err)
		}
	}
}
