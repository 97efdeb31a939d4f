package clients

import "github.com/techmart/techmart/services/errs"

// NoSuchClient is what a store answers for a client that it does not have: NOT_FOUND.
func NoSuchClient(name string) error {
	return errs.At(errs.NotFound, "There is no API client "+name+".", "name")
}

// NoSuchVersion is what a store answers for a version that it does not have: NOT_FOUND.
func NoSuchVersion(name, version string) error {
	return errs.At(errs.NotFound, name+" has no version "+version+".", "version")
}

// NoSuchText is what a store answers for a text that it does not have: NOT_FOUND.
func NoSuchText() error { return errs.New(errs.NotFound, "There is no such document.") }

// NameTaken is what a store answers for a client's name that is in use: TAKEN.
func NameTaken(name string) error {
	return errs.At(errs.Taken, "There is an API client "+name+" already.", "name")
}

// VersionDiffers is what a store answers where a version is there with other documents: CONFLICT.
func VersionDiffers(name, version string) error {
	return errs.At(errs.Conflict, "Version "+version+" of "+name+" was published with other documents: a version never changes, publish a new one.", "version")
}

// IDDiffers is what a store answers where a client's id stands for another text: CONFLICT.
func IDDiffers(name, id string) error {
	return errs.At(errs.Conflict, "The id "+id+" of "+name+" stands for another document already: an id never changes.", "documents")
}

var errKey = errs.New(errs.Unauthenticated, "The API key is not valid.")
