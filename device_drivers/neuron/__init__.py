"""Tags of industrial devices behind an EMQX Neuron gateway (mqtt-conventions.md, neuron)."""
