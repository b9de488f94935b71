"""The same echo on FastAPI and uvicorn (httptools, uvloop), as its users write it."""

from uuid import uuid4

from fastapi import FastAPI
from on_uvicorn import serve
from pydantic import BaseModel, Field


class In(BaseModel):
    id: str = Field(default_factory=lambda: uuid4().hex)
    text: str


class Out(BaseModel):
    id: str = Field(default_factory=lambda: uuid4().hex)
    text: str


class Ask(BaseModel):
    data: list[In]


class Answer(BaseModel):
    data: list[Out]


app = FastAPI()


@app.post("/echo")
async def echo(ask: Ask) -> Answer:
    return Answer(data=[Out(text=doc.text + "!") for doc in ask.data])


if __name__ == "__main__":
    serve(app)
