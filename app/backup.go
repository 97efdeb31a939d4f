package app

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/techmart/techmart/migrations"
	"github.com/techmart/techmart/platform/mongodb"
	"github.com/techmart/techmart/platform/postgres"
)

// backupFormat is the number of the form in which backups are written.
const backupFormat = 1

// manifestName is the file that says what a backup consists of. It is written last.
const manifestName = "manifest.json"

// notKept are the collections that are of use to running processes only.
var notKept = []string{"locks"}

// Manifest says what a backup consists of.
type Manifest struct {
	Format   int          `json:"format"`
	Version  string       `json:"version"` // of the program that wrote it
	TakenAt  time.Time    `json:"takenAt"` // when the orders were read
	Files    []BackupFile `json:"files"`
	Database string       `json:"database"` // of the catalogue
}

// BackupFile is one file of a backup: the dump of one PostgreSQL server, or of a collection.
type BackupFile struct {
	Name       string   `json:"name"`
	Domains    []string `json:"domains,omitempty"`    // of a PostgreSQL server
	Collection string   `json:"collection,omitempty"` // of the catalogue
	Documents  int      `json:"documents,omitempty"`
	Bytes      int64    `json:"bytes"`
	SHA256     string   `json:"sha256"`
}

// Backup writes all business data into a new directory while the shop goes on. PostgreSQL is read
// first, each server at one moment, and the catalogue after it: whatever an order holds of the stock
// by the one is held by the other, too. progress is told, in short lines, how far it is.
func (a *App) Backup(ctx context.Context, dir string, version string, progress func(line string)) error {
	if _, err := os.Stat(dir); err == nil {
		return fmt.Errorf("%s exists already: a backup is written to a new directory", dir)
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	m := Manifest{Format: backupFormat, Version: version, TakenAt: time.Now().UTC(), Database: a.mongo.Name()}
	for url, domains := range a.servers() {
		name := "postgres-" + domains[0] + ".dump"
		progress("backup: PostgreSQL of " + list(domains))
		if err := postgres.Dump(ctx, url, filepath.Join(part, name), domains); err != nil {
			return err
		}
		m.Files = append(m.Files, BackupFile{Name: name, Domains: domains})
	}
	collections, err := a.mongo.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("mongodb: %w", err)
	}
	slices.Sort(collections)
	for _, c := range collections {
		if slices.Contains(notKept, c) {
			continue
		}
		progress("backup: catalogue, " + c)
		f := BackupFile{Name: "catalogue-" + c + ".bson.gz", Collection: c}
		if f.Documents, err = a.dumpCollection(ctx, c, filepath.Join(part, f.Name)); err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	for i := range m.Files {
		f := &m.Files[i]
		if f.Bytes, f.SHA256, err = sum(filepath.Join(part, f.Name)); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(part, manifestName), append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// servers gives the domains of each PostgreSQL server, by its URL.
func (a *App) servers() map[string][]string {
	byURL := make(map[string][]string)
	for _, domain := range migrations.Domains {
		url := a.config.postgresURL(domain)
		byURL[url] = append(byURL[url], domain)
	}
	return byURL
}

// dumpTimeout bounds the dump or restoration of one collection.
const dumpTimeout = 6 * time.Hour

func (a *App) dumpCollection(ctx context.Context, name, file string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, dumpTimeout)
	defer cancel()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	if n, err = mongodb.Dump(ctx, a.mongo.Collection(name), z); err != nil {
		return n, err
	}
	return n, errors.Join(z.Close(), f.Sync())
}

func sum(file string) (n int64, hash string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() // it was only read
	h := sha256.New()
	n, err = io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

func list(domains []string) string {
	text := ""
	for i, d := range domains {
		switch {
		case i == 0:
		case i == len(domains)-1:
			text += " and "
		default:
			text += ", "
		}
		text += d
	}
	return text
}

// Restore reads a backup into empty servers, and brings them to the state that this version needs.
// It changes nothing where a file of the backup is damaged, or a server is not empty.
func (a *App) Restore(ctx context.Context, dir string, progress func(line string)) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	progress("restore: checking the files")
	for _, f := range m.Files {
		n, hash, err := sum(filepath.Join(dir, f.Name))
		if err != nil {
			return err
		}
		if n != f.Bytes || hash != f.SHA256 {
			return fmt.Errorf("%s is damaged: it is not the file that was written", f.Name)
		}
	}
	if err := a.checkEmpty(ctx); err != nil {
		return err
	}
	for _, f := range m.Files {
		if len(f.Domains) > 0 {
			progress("restore: PostgreSQL of " + list(f.Domains))
			url := a.config.postgresURL(f.Domains[0])
			for _, domain := range f.Domains {
				if a.config.postgresURL(domain) != url {
					return fmt.Errorf("%s has the domains %s, which are on several servers here: restore into one, and divide it afterwards", f.Name, list(f.Domains))
				}
			}
			if err := postgres.Restore(ctx, url, filepath.Join(dir, f.Name)); err != nil {
				return err
			}
			continue
		}
		progress("restore: catalogue, " + f.Collection)
		if err := a.restoreCollection(ctx, f, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	progress("restore: indexes")
	if err := a.Migrate(ctx); err != nil {
		return err
	}
	if err := errors.Join(a.stores.orders.Revive(ctx), a.stores.payments.Revive(ctx)); err != nil {
		return err
	}
	progress("restore: stock of orders that came after the backup")
	_, err = a.releaseUnknown(asProgram(ctx))
	return err
}

// releaseUnknown gives back what orders hold that are not there: the catalogue of a backup is younger
// than its orders. An order is written before it holds anything, so that it may run in a live shop too.
func (a *App) releaseUnknown(ctx context.Context) ([]uuid.UUID, error) {
	return a.Services.Products.ReleaseWhere(ctx, func(ctx context.Context, holders []uuid.UUID) ([]uuid.UUID, error) {
		known, err := a.Services.Orders.ByIDs(ctx, holders)
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(holders, func(id uuid.UUID) bool { return known[id] != nil }), nil
	})
}

func readManifest(dir string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("%s is no backup: it has no %s", dir, manifestName)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", manifestName, err)
	}
	if m.Format != backupFormat {
		return m, fmt.Errorf("the backup has format %d; this version reads %d", m.Format, backupFormat)
	}
	for _, f := range m.Files {
		if f.Name != filepath.Base(f.Name) || (len(f.Domains) > 0) == (f.Collection != "") {
			return m, fmt.Errorf("%s names a file that cannot be: %q", manifestName, f.Name)
		}
	}
	return m, nil
}

// checkEmpty makes sure that nothing is overwritten.
func (a *App) checkEmpty(ctx context.Context) error {
	for _, domain := range migrations.Domains {
		var there bool
		if err := a.pool(domain).QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, domain).Scan(&there); err != nil {
			return err
		}
		if there {
			return fmt.Errorf("the PostgreSQL of %s is not empty: restore into a new database", domain)
		}
	}
	collections, err := a.mongo.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("mongodb: %w", err)
	}
	if len(collections) > 0 {
		return fmt.Errorf("the MongoDB database %s is not empty: restore into a new one", a.mongo.Name())
	}
	return nil
}

func (a *App) restoreCollection(ctx context.Context, f BackupFile, file string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, dumpTimeout)
	defer cancel()
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close() // it is only read
	z, err := gzip.NewReader(in)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	n, err := mongodb.Restore(ctx, a.mongo.Collection(f.Collection), z)
	if err == nil && n != f.Documents {
		err = fmt.Errorf("%s has %d documents, not %d", f.Name, n, f.Documents)
	}
	return err
}
