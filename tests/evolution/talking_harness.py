"""A harness of verifiers that asks the model in this process, through the server that verifiers puts before it."""

import httpx
import verifiers.v1 as vf


class TalkingConfig(vf.HarnessConfig):
    pass


class TalkingHarness(vf.Harness[TalkingConfig]):
    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(self, ctx, trace, runtime, endpoint, secret, mcp_urls, data):
        _, prompt = self.resolve_prompt(data)
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        said = [m if isinstance(m, dict) else {"role": m.role, "content": m.content} for m in messages]
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.post(
                f"{endpoint}/chat/completions",
                json={"model": ctx.model, "messages": said},
                headers={"Authorization": f"Bearer {secret}"},
            )
        answer.raise_for_status()
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


__all__ = ["TalkingHarness"]
