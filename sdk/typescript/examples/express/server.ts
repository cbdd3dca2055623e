// An Express service that answers who calls. Start it with KEYWARD_URL and KEYWARD_TOKEN (a service key with the scope verify).
import express from "express";
import { Keyward } from "keyward";
import { guard } from "keyward/express";

const keyward = new Keyward({ url: process.env["KEYWARD_URL"] ?? "http://127.0.0.1:8080", token: process.env["KEYWARD_TOKEN"] ?? "" });
const { requireKey } = guard({ keyward, environment: "live", onError: (error) => console.error(error) });

const app = express();
app.get("/calls", requireKey("calls:read"), (req, res) => {
  res.json({ workspace: req.keyward?.workspaceId, key: req.keyward?.keyId });
});
app.listen(Number(process.env["PORT"] ?? 8000), "127.0.0.1");
