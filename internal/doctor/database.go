package doctor

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/store"
	"idp/internal/store/database"
)

// Bounds of what is worth a line.
const (
	diskFew   = 1 << 30 // free bytes
	diskNone  = 64 << 20
	clockOff  = 2 * time.Second // between the database's clock and ours
	clockFar  = time.Minute
	sqliteURL = "sqlite:"
)

// onceDB is sync.OnceValues for three.
func onceDB(open func() (*store.Store, database.Schema, error)) func() (*store.Store, database.Schema, error) {
	var st *store.Store
	var schema database.Schema
	var err error
	var once sync.Once
	return func() (*store.Store, database.Schema, error) {
		once.Do(func() { st, schema, err = open() })
		return st, schema, err
	}
}

func (e *exam) openDB(ctx context.Context) (*store.Store, database.Schema, error) {
	st, err := e.Store, error(nil)
	if st == nil {
		st, err = store.OpenReadOnly(store.Config{URL: e.Database, Now: e.Now})
	}
	if err != nil {
		return nil, database.Schema{}, err
	}
	schema, err := st.Schema(ctx)
	return st, schema, err
}

// database: does it answer, are its tables ours, is there room, whose clock.
func (e *exam) database(ctx context.Context) []report.Line {
	path, embedded := strings.CutPrefix(e.Database, sqliteURL)
	name := redacted(e.Database)
	st, schema, err := e.db()
	if err != nil {
		return e.noDatabase(path, embedded, err)
	}
	engine, err := st.Engine(ctx)
	if err != nil {
		return report.Failed("it answered a moment ago: its own log says why", "%s: %v", name, err)
	}
	lines := judgeSchema(name, engine, schema)
	if embedded {
		return append(lines, e.sqliteFiles(path)...)
	}
	return append(lines, judgeClock(engine.Ahead)...)
}

func (e *exam) noDatabase(path string, embedded bool, err error) []report.Line {
	switch {
	case !embedded:
		return report.Failed("is it running, does pg_hba.conf let this user in, is PGPASSFILE set? psql '"+redacted(e.Database)+"' says the same", "%v", err)
	case errors.Is(err, os.ErrPermission):
		return report.Failed("run this as the user that idp runs as", "%s cannot be read by this user", path)
	case !errors.Is(err, fs.ErrNotExist):
		return report.Failed("is it a database of idp? restore a backup, or name another file", "%s: %v", path, err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return report.Failed("mkdir "+filepath.Dir(path)+", owned by the user that idp runs as", "%s: there is no folder %s", path, filepath.Dir(path))
	}
	return report.OK("%s is not there yet; the first start makes it", path)
}

// redacted: a password in the URL is a problem that config tells of.
func redacted(database string) string {
	if u, err := url.Parse(database); err == nil && u.Host != "" {
		return u.Redacted()
	}
	return database
}

func judgeSchema(what string, engine database.Engine, s database.Schema) []report.Line {
	what += ": " + engine.Name + " " + engine.Version
	details := map[string]any{"engine": engine.Name, "version": engine.Version, "schema": s.Version, "newest_known": s.Known, "clock_ahead_ms": engine.Ahead.Milliseconds()}
	var r []report.Line
	switch {
	case !s.Supported:
		r = report.Failed("start the newer version again", "%s, schema %d: made for a newer version of idp; this one knows %d and refuses to start", what, s.Version, s.Known)
	case s.Version == 0:
		r = report.OK("%s, empty; the first start makes the tables", what)
	case s.Version < s.Known:
		r = report.Warning("the next start of idp serve brings it up to date", "%s, schema %d, older than this program's %d", what, s.Version, s.Known)
	case s.Version > s.Known:
		r = report.Warning("upgrade this node soon", "%s, schema %d, newer than this program's %d, and still good for it", what, s.Version, s.Known)
	default:
		r = report.OK("%s, schema %d", what, s.Version)
	}
	r[0].Details = details
	return r
}

func judgeClock(ahead time.Duration) []report.Line {
	hint := "NTP on both machines: timedatectl, chronyc tracking"
	switch {
	case ahead.Abs() >= clockFar:
		return report.Failed(hint, "its clock is %s off ours", ahead)
	case ahead.Abs() >= clockOff:
		return report.Warning(hint, "its clock is %s off ours", ahead)
	}
	return nil
}

// sqliteFiles: who may read them, whether one user owns them all (a command run
// as root leaves files that idp cannot open), and how much room there is.
func (e *exam) sqliteFiles(path string) (lines []report.Line) {
	info, err := os.Stat(path)
	if err != nil {
		return report.Failed("run this again: the file was there a moment ago", "%v", err)
	}
	if look.ForOthers(info) {
		lines = append(lines, report.Warning("chmod 0600 "+path, "%s (mode %s, of %s) can be read by everybody on this host", path, look.Mode(info), look.Owner(info))...)
	}
	for _, other := range []string{path + "-wal", path + "-shm", e.SecretKeyFile} {
		if o, err := os.Stat(other); err == nil && look.Owner(o) != look.Owner(info) {
			lines = append(lines, report.Warning("chown both to the user that idp runs as, and run idp's commands as that user", "%s belongs to %s, %s to %s", path, look.Owner(info), other, look.Owner(o))...)
		}
	}
	return append(lines, judgeRoom(filepath.Dir(path), free(path))...)
}

// free bytes of the file system for users other than root; -1: not known.
func free(path string) int64 {
	var fsys syscall.Statfs_t
	if err := syscall.Statfs(path, &fsys); err != nil {
		return -1
	}
	return int64(fsys.Bavail) * int64(fsys.Bsize) //nolint:gosec // no disk has 2^63 bytes; the types differ by platform
}

func judgeRoom(dir string, bytes int64) []report.Line {
	switch hint := "make room in " + dir; {
	case bytes < 0:
		return nil
	case bytes < diskNone:
		return report.Failed(hint, "%d MB are free in %s: logins fail when it is full", bytes>>20, dir)
	case bytes < diskFew:
		return report.Warning(hint, "%d MB are free in %s", bytes>>20, dir)
	}
	return nil
}

// runsAs is the user that idp runs as, as far as files show it: the owner of the
// embedded database. Empty: not known.
func (e *exam) runsAs() string {
	path, embedded := strings.CutPrefix(e.Database, sqliteURL)
	info, err := os.Stat(path)
	if !embedded || err != nil {
		return ""
	}
	return look.Owner(info)
}
