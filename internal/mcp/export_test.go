package mcp

// NewDoorTo is NewDoor with other tools behind it.
var NewDoorTo = newDoor
