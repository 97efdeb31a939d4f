package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// usage is the CPU time of the processes of one name.
type usage struct {
	name    string
	seconds float64
}

// ticks is what Linux counts CPU time in, a second.
const ticks = 100

// cpuOf gives the CPU time so far of the bench and of all processes that come of it: the servers', by their names,
// and those of the program, by their commands.
func cpuOf(s *servers) map[string]float64 {
	type process struct {
		parent  int
		name    string
		seconds float64
	}
	all := make(map[int]process)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
		fields := strings.Fields(string(text[end+1:]))
		if open < 0 || end < open || len(fields) < 15 {
			continue
		}
		p := process{name: string(text[open+1 : end])}
		p.parent, _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // its own time, and that of children that have ended
			n, _ := strconv.ParseFloat(field, 64)
			p.seconds += n / ticks
		}
		all[pid] = p
	}
	for _, cmd := range s.processes {
		if p, ok := all[cmd.Process.Pid]; ok {
			p.name = cmd.Args[1]
			all[cmd.Process.Pid] = p
		}
	}
	sums, self := make(map[string]float64), os.Getpid()
	for pid, p := range all {
		ours := pid == self
		if ours {
			p.name = "bench itself"
		}
		for up := p.parent; up > 1 && !ours; up = all[up].parent {
			ours = up == self
		}
		if ours {
			sums[p.name] += p.seconds
		}
	}
	return sums
}

// since gives what was used between two times, the most first.
func since(before, after map[string]float64) []usage {
	var list []usage
	for name, seconds := range after {
		list = append(list, usage{name, seconds - before[name]})
	}
	slices.SortFunc(list, func(a, b usage) int {
		switch {
		case a.seconds > b.seconds:
			return -1
		case a.seconds < b.seconds:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return list
}
