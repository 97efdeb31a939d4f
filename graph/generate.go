// Package graph holds the schema (graph/schema), the models bound to it (graph/model) and the
// executor that gqlgen makes of them (graph/generated).
package graph

import "embed"

//go:generate sh -c "cd .. && go tool gqlgen generate"
//go:generate go run ../scripts/sdl schema.graphql
//go:generate sh -c "cd ../clients/go && go tool genqlient && go run ../../scripts/manifest operations.json manifest.json"

// Schema holds the SDL files, one a domain.
//
//go:embed schema/*.graphqls
var Schema embed.FS
