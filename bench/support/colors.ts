export const COLORS = { blue: "#2563a8", orange: "#c8641b", grey: "#666666", purple: "#7a4fa3" };
