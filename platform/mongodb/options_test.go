package mongodb

import (
	"testing"
	"time"
)

func TestClientOptions(t *testing.T) {
	t.Parallel()
	opts, name, err := clientOptions(Config{URL: "mongodb://localhost/shop?w=1", Database: "other", ApplicationName: "test", MaxPoolSize: 7})
	if err != nil {
		t.Fatal(err)
	}
	if name != "shop" {
		t.Errorf("database %q, want the one of the URL", name)
	}
	if wc := opts.WriteConcern; wc.W != "majority" || wc.Journal == nil || !*wc.Journal {
		t.Errorf("write concern %+v, want majority and journaled whatever the URL says", wc)
	}
	if *opts.MaxPoolSize != 7 || *opts.ServerSelectionTimeout != 3*time.Second || *opts.AppName != "test" {
		t.Errorf("pool %d, selection %s, name %s", *opts.MaxPoolSize, *opts.ServerSelectionTimeout, *opts.AppName)
	}
}
