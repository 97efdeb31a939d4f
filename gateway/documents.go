package gateway

// DocumentMode says which documents an API client may run.
type DocumentMode string

// The modes, from the loosest to the strictest.
const (
	DocumentsOpen   DocumentMode = "open"   // any
	DocumentsLog    DocumentMode = "log"    // any; those that are not trusted are logged and counted
	DocumentsPrefer DocumentMode = "prefer" // as log, but what is not trusted is not kept by its hash, and must be cheap
	DocumentsOnly   DocumentMode = "only"   // trusted ones
)
